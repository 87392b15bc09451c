//! What people look at: the pages, and the files under `/static/` that they and others use.

use askama::Template;
use http::HeaderValue;
use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY};

use crate::serve::assets::{Asset, Assets};
use crate::serve::conversation::Answer;
use crate::serve::problem::Problem;
use crate::serve::routes::Call;

/// Everything comes from this server, nothing is inline, nobody puts the page into a frame: even data
/// that a page wrongly took for markup could not run.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// The pages and files that are embedded in the program.
#[derive(Debug)]
pub struct Pages {
    files: Assets,
    home: Asset,
    sse_test: Asset,
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    version: &'static str,
}

#[derive(Template)]
#[template(path = "sse_test.html")]
struct SseTest {
    version: &'static str,
}

impl Pages {
    /// Makes them ready to be served.
    pub fn load() -> Self {
        let version = env!("CARGO_PKG_VERSION");
        Self {
            files: Assets::load(),
            home: page(&Home { version }),
            sse_test: page(&SseTest { version }),
        }
    }
}

fn page(template: &impl Template) -> Asset {
    // Writing to a string fails only if a value cannot be written, and the only value is text.
    Asset::new("text/html; charset=utf-8", template.render().unwrap_or_default().into_bytes())
}

fn show(call: &Call<'_>, page: &Asset) -> Answer {
    page.respond(call.request)
        .header(CONTENT_SECURITY_POLICY, POLICY)
        .header(REFERRER_POLICY, HeaderValue::from_static("same-origin"))
        .into()
}

/// `GET /`
pub fn home(call: &Call<'_>) -> Result<Answer, Problem> {
    Ok(show(call, &call.app.pages.home))
}

/// `GET /sse-test`
pub fn sse_test(call: &Call<'_>) -> Result<Answer, Problem> {
    Ok(show(call, &call.app.pages.sse_test))
}

/// `GET /static/…`
pub fn asset(call: &Call<'_>) -> Result<Answer, Problem> {
    let path = call.parameters.join("/");
    let file = call.app.pages.files.get(&path);
    let file = file.ok_or_else(|| Problem::not_found(format!("There is no file {path:?}.")))?;
    Ok(file.respond(call.request).into())
}
