//! What people look at.

use crate::serve::conversation::Answer;
use crate::serve::problem::Problem;
use crate::serve::routes::Call;

/// The pages and files that are embedded in the program.
#[derive(Debug)]
pub struct Pages;

impl Pages {
    /// Makes them ready to be served.
    pub fn load() -> Self {
        Self
    }
}

/// `GET /`
pub fn home(_call: &Call<'_>) -> Result<Answer, Problem> {
    Err(Problem::not_found("being written"))
}

/// `GET /sse-test`
pub fn sse_test(_call: &Call<'_>) -> Result<Answer, Problem> {
    Err(Problem::not_found("being written"))
}

/// `GET /static/…`
pub fn asset(_call: &Call<'_>) -> Result<Answer, Problem> {
    Err(Problem::not_found("being written"))
}
