//! What people look at: the pages, and the files under `/static/` that they and others use.

use askama::Template;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use http::{HeaderValue, StatusCode};

use super::{events, openapi};
use crate::serve::assets::{Asset, Assets};
use crate::serve::conversation::Answer;
use crate::serve::http::Response;
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
    jobs: Ways,
    sse_test: Ways,
    /// What programs look at.
    pub(super) openapi: Asset,
}

/// A page with the way to the summaries, and the same for an installation that makes none.
#[derive(Debug)]
struct Ways {
    to_summaries: Asset,
    alone: Asset,
}

#[derive(Template)]
#[template(path = "jobs.html")]
struct Jobs {
    version: &'static str,
    has_summaries: bool,
}

#[derive(Template)]
#[template(path = "sse_test.html")]
struct SseTest {
    version: &'static str,
    has_summaries: bool,
    has_faults: bool,
}

impl Pages {
    /// Makes them ready to be served; the test page with a panel for faults, if there are any.
    pub fn load(has_faults: bool) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        Self {
            files: Assets::load(),
            jobs: Ways::of(|has_summaries| page(&Jobs { version, has_summaries })),
            sse_test: Ways::of(|has_summaries| {
                page(&SseTest { version, has_summaries, has_faults })
            }),
            openapi: openapi::asset(),
        }
    }
}

impl Ways {
    fn of(page: impl Fn(bool) -> Asset) -> Self {
        Self { to_summaries: page(true), alone: page(false) }
    }

    fn page(&self, call: &Call<'_>) -> &Asset {
        if call.app.summarizer.is_some() { &self.to_summaries } else { &self.alone }
    }
}

fn page(template: &impl Template) -> Asset {
    // Writing to a string fails only if a value cannot be written, and the only value is text.
    Asset::new("text/html; charset=utf-8", template.render().unwrap_or_default().into_bytes())
}

/// Also gives a first visitor the session: a page opens its stream and asks for more at once, and
/// if each of these requests were the first, each would be given a session of its own.
fn show(call: &Call<'_>, page: &Asset) -> Result<Answer, Problem> {
    guarded(call, page.respond(call.request))
}

/// A page that was made for this request.
pub(super) fn page_of(
    call: &Call<'_>,
    status: StatusCode,
    template: &impl Template,
) -> Result<Answer, Problem> {
    // As for the pages that are always the same.
    guarded(call, Response::html(status, template.render().unwrap_or_default()))
}

fn guarded(call: &Call<'_>, response: Response) -> Result<Answer, Problem> {
    let (_, cookie) = events::session(call)?;
    let mut response = response
        .header(CONTENT_SECURITY_POLICY, POLICY)
        .header(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response.headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response.headers.extend(cookie);
    Ok(response.into())
}

/// `GET /jobs`
pub fn jobs(call: &Call<'_>) -> Result<Answer, Problem> {
    show(call, call.app.pages.jobs.page(call))
}

/// `GET /sse-test`
pub fn sse_test(call: &Call<'_>) -> Result<Answer, Problem> {
    show(call, call.app.pages.sse_test.page(call))
}

/// `GET /static/…`
pub fn asset(call: &Call<'_>) -> Result<Answer, Problem> {
    let path = call.parameters.join("/");
    let file = call.app.pages.files.get(&path);
    let file = file.ok_or_else(|| Problem::not_found(format!("There is no file {path:?}.")))?;
    Ok(file.respond(call.request).into())
}
