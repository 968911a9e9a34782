//! Jinja, in which checkpoints write how messages become a prompt: as jinja2 with transformers' settings runs it.
//!
//!     source ─lexer─▶ tokens ─parser─▶ ast ─Renderer─▶ a text that knows which of its bytes the caller gave
//!
//! It is a stranger's program. It pays for each step and each byte (`budget`), nests only so deep (`Renderer::enter`,
//! `Value::list`), and what it makes goes with its renderer: lists and maps never change, so none can hold itself. What is
//! not known is refused by name. A string carries with it which of its bytes came from the caller, through every filter,
//! method and operator (`string`): that is how a control token in a message is told from one of the template's own.
//!
//! Why none of a library's: minijinja, the one that Rust has, cannot be told whose a byte is, walks a string without its
//! length (`loop.last` is never true), and lets a namespace hold itself, which is never freed and, printed, overflows the
//! stack whatever fuel it is given. None of that can be cured from outside.

mod access;
mod args;
mod arithmetic;
mod ast;
mod budget;
mod calls;
mod chars;
mod checks;
mod escapes;
mod eval;
mod expressions;
mod filters;
mod filters_lists;
mod filters_text;
mod format;
mod json;
mod lexer;
mod methods;
mod objects;
mod parser;
mod places;
mod render;
mod sort;
mod stop;
mod string;
mod symbols;
#[cfg(test)]
mod tests;
mod value;
mod write;

pub(crate) use ast::Template;
pub(crate) use budget::Budget;
pub(crate) use chars::is_space;
pub(crate) use parser::parse;
pub(crate) use render::Renderer;
pub(crate) use stop::{RunResult, Stop};
pub(crate) use string::{Spans, Text};
pub(crate) use value::{Kind, Value};
