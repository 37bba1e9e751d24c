//! `antiphon doctor`: looks at this machine and says what is wrong and what to do.

use crate::{args::DoctorArgs, error::Outcome};

pub async fn run(_args: DoctorArgs) -> Outcome {
    Ok(crate::error::Status::Well)
}
