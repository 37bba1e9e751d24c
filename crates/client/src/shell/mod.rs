//! The shell: what a person types, turned into requests, and what comes back, turned into text.
//!
//! [`parser`] and [`script`] read text; [`Evaluator`] does what it says and tells a [`Sink`] what happens; [`View`] turns
//! that into text. None of them knows a terminal. [`Cluster`] and [`Local`] are what the evaluator needs of the world.

mod aim;
mod backend;
mod drive;
pub mod editor;
mod evaluator;
mod event;
mod history;
mod interrupter;
mod lexer;
mod local;
mod magics;
mod news;
pub mod parser;
pub mod script;
mod streams;
mod table;
pub mod view;

pub use backend::{Cluster, Local, LocalError, Running};
pub use evaluator::{Evaluator, Options};
pub use event::{Answers, Event, Sink, Status};
pub use interrupter::Interrupter;
pub use local::LazyInterpreter;
pub use magics::{engines_table, magic_names};
pub use news::News;
pub use view::{Rendered, View, ViewOptions};
