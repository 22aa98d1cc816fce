//! `gemba token`.

use super::{carry_out, text};
use crate::cli::TokenAction;
use crate::control::Request;
use crate::terminal::say;
use anyhow::Result;

pub(crate) fn run(action: TokenAction) -> Result<()> {
    let TokenAction::Create { role, name, place, json } = action;
    let answer = carry_out(&place, Request::TokenCreate { role: role.as_str().to_owned(), name })?;
    say(&if json { answer.to_string() } else { text(&answer, "token").to_owned() });
    Ok(())
}
