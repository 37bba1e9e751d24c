//! A Rust program as a client: the same statement on every engine of the cluster that is up.
//!
//! ```text
//! antiphon up -n 4
//! cargo run --example squares
//! antiphon down
//! ```
#![allow(clippy::print_stdout)]

use antiphon_client::{Client, ExecuteOptions, Reply};
use antiphon_launch::{ClusterName, Connection, Folder};
use antiphon_protocol::Target;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cluster = std::env::args().nth(1).unwrap_or_else(|| "default".to_owned());
    let folder = Folder::new(&antiphon_launch::state_root()?, cluster.parse::<ClusterName>()?);
    let connection: Connection = folder.connection()?;
    let client = Client::connect(&connection.address.parse()?, connection.token.reveal(), "squares").await?;

    let source = "import antiphon\n[antiphon.engine_id, antiphon.engine_id ** 2]";
    let request = client.execute(&Target::all(), source, ExecuteOptions::default()).await?;
    for answer in request.answers().await? {
        match answer.reply {
            Reply::Done(done) => println!("engine {}: {}", answer.engine, done.repr.unwrap_or_default()),
            Reply::Raised(raised) => {
                println!("engine {}: {}: {}", answer.engine, raised.kind, raised.message)
            }
            Reply::Lost(loss) => println!("engine {}: lost: {}", answer.engine, loss.cause),
        }
    }
    Ok(())
}
