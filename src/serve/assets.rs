//! Files and pages, with everything a cache wants to know.
//!
//! The files are part of the program. What can be done once is done once, at the start: their tags
//! and their compressed forms. Compressing takes far more stack than a connection's thread has, so
//! nothing here is made on first use.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, ETAG, IF_NONE_MATCH, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, StatusCode};

use super::http::preference::{choices, elements};
use super::http::{Body, Request, Response};

/// The files under `static/`, by the path that follows `/static/`.
macro_rules! embedded {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/static/", $path)))),*]
    };
}

/// All of them: a test fails when one is missing here.
static FILES: &[(&str, &[u8])] = embedded![
    "home.css",
    "home.js",
    "home/batch-card.js",
    "home/batch.js",
    "home/composer.js",
    "home/links.js",
    "home/sample.js",
    "home/summaries.js",
    "home/summary-item.js",
    "home/transcripts.js",
    "home/work.js",
    "icon.svg",
    "jobs.css",
    "jobs.js",
    "jobs/actions.js",
    "jobs/batch-details.js",
    "jobs/batch-view.js",
    "jobs/batches.js",
    "jobs/code-block.js",
    "jobs/filters.js",
    "jobs/fragment.js",
    "jobs/frame.js",
    "jobs/job-details.js",
    "jobs/job-list.js",
    "jobs/job-row.js",
    "jobs/job.js",
    "jobs/live.js",
    "jobs/page-worker.js",
    "jobs/panel.js",
    "jobs/question.js",
    "jobs/queue-card.js",
    "jobs/queues.js",
    "jobs/throughput.js",
    "jobs/timeline.js",
    "jobs/trouble.js",
    "jobs/try-it.js",
    "page/chart.js",
    "page/connection-notice.js",
    "page/dom.js",
    "page/format.js",
    "page/problem.js",
    "sse-test.css",
    "sse-test.js",
    "sse-test/broadcast.js",
    "sse-test/connection.js",
    "sse-test/connections.js",
    "sse-test/event-log.js",
    "sse-test/explanation.js",
    "sse-test/faults.js",
    "sse-test/names.js",
    "sse-test/server-faults.js",
    "sse-test/server.js",
    "sse-test/simulated-network.js",
    "sse-test/slow-reader.js",
    "theme.js",
    "tidings.css",
    "tidings.js",
    "tidings/address.js",
    "tidings/backoff.js",
    "tidings/components.css",
    "tidings/environment.js",
    "tidings/handlers.js",
    "tidings/message.js",
    "tidings/page-watch.js",
    "tidings/poll.js",
    "tidings/progress-bar.js",
    "tidings/status-dot.js",
    "tidings/status.js",
    "tidings/stream.js",
    "tidings/timings.js",
    "tidings/toasts.js",
];

/// The program's files, ready to be sent.
#[derive(Debug)]
pub struct Assets(BTreeMap<&'static str, Asset>);

impl Assets {
    /// Makes all files ready. For the start: takes milliseconds and stack.
    pub fn load() -> Self {
        let ready = |&(path, bytes): &(&'static str, &'static [u8])| {
            (path, Asset::new(content_type(path), bytes))
        };
        Self(FILES.iter().map(ready).collect())
    }

    /// The file whose path follows `/static/`.
    pub fn get(&self, path: &str) -> Option<&Asset> {
        self.0.get(path)
    }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// One file or page, ready to be sent: plain, and compressed if that helps.
#[derive(Debug)]
pub struct Asset {
    content_type: &'static str,
    plain: Variant,
    gzip: Option<Variant>,
}

/// The bytes of one encoding, and the tag that stands for exactly these bytes.
#[derive(Debug)]
struct Variant {
    body: Body,
    tag: HeaderValue,
}

impl Asset {
    /// Makes bytes ready to be sent. For the start: takes milliseconds and stack.
    pub fn new(content_type: &'static str, bytes: impl Into<Cow<'static, [u8]>>) -> Self {
        let bytes = bytes.into();
        let gzip = gzip(&bytes).filter(|packed| packed.len() < bytes.len());
        let plain_tag = tag(&bytes);
        let body = match bytes {
            Cow::Borrowed(_) => Body::Bytes(bytes),
            Cow::Owned(bytes) => Body::Shared(bytes.into()),
        };
        Self {
            content_type,
            plain: Variant { body, tag: plain_tag },
            gzip: gzip.map(|packed| Variant { tag: tag(&packed), body: Body::Shared(packed) }),
        }
    }

    /// The answer to a GET or HEAD: the asset as the client can take it, or 304 if it has it.
    pub fn respond(&self, request: &Request) -> Response {
        let packed = self.gzip.as_ref().filter(|_| accepts_gzip(request));
        let chosen = packed.unwrap_or(&self.plain);
        let mut response = if has(request, &chosen.tag) {
            Response::empty(StatusCode::NOT_MODIFIED)
        } else {
            Response::new(StatusCode::OK, self.content_type, chosen.body.clone())
                .header(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        };
        if packed.is_some() && response.status == StatusCode::OK {
            response = response.header(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if self.gzip.is_some() {
            response = response.header(VARY, HeaderValue::from_static("accept-encoding"));
        }
        // A cache may keep it but asks each time: an upgraded server is seen at once.
        response
            .header(CACHE_CONTROL, HeaderValue::from_static("no-cache"))
            .header(ETAG, chosen.tag.clone())
    }
}

fn gzip(bytes: &[u8]) -> Option<Arc<[u8]>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok().map(Into::into)
}

/// Changes whenever the bytes do; two servers of one build agree on it.
fn tag(bytes: &[u8]) -> HeaderValue {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    let text = format!("\"{:x}-{:016x}\"", bytes.len(), hasher.finish());
    // Hexadecimal digits can always stand in a header.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether the client has exactly these bytes: `If-None-Match`, compared weakly, as it must be.
fn has(request: &Request, tag: &HeaderValue) -> bool {
    let lines = request.headers.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| elements(line, ',')).any(|known| {
        known == "*" || known.strip_prefix("W/").unwrap_or(known).as_bytes() == tag.as_bytes()
    })
}

/// Whether gzip is welcome, and no less than plain bytes are.
fn accepts_gzip(request: &Request) -> bool {
    let weight = |encoding: &str| {
        choices(request.headers.get_all(ACCEPT_ENCODING))
            .find(|choice| choice.value.eq_ignore_ascii_case(encoding))
            .map(|choice| choice.weight)
    };
    let gzip = weight("gzip").or_else(|| weight("x-gzip")).or_else(|| weight("*")).unwrap_or(0);
    gzip > 0 && gzip >= weight("identity").unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::http::head;
    use http::header::CONTENT_TYPE;
    use std::path::Path;

    fn request(headers: &str) -> Request {
        head::parse(format!("GET / HTTP/1.1\r\nHost: x\r\n{headers}\r\n").as_bytes()).unwrap()
    }

    fn page() -> Asset {
        Asset::new("text/html; charset=utf-8", "Hello ".repeat(100).into_bytes())
    }

    fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
        response.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn list(folder: &Path, root: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                list(&path, root, found);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }

    #[test]
    fn every_file_under_static_is_embedded() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("static");
        let mut found = Vec::new();
        list(&root, &root, &mut found);
        let assets = Assets::load();
        for path in &found {
            let asset = assets.get(path).unwrap_or_else(|| panic!("{path} is not in FILES"));
            assert_eq!(asset.plain.body.as_slice(), std::fs::read(root.join(path)).unwrap());
            assert_ne!(asset.content_type, "application/octet-stream", "{path}");
        }
        assert_eq!(FILES.len(), found.len());
        assert!(assets.get("../Cargo.toml").is_none());
    }

    #[test]
    fn a_script_has_its_type_and_is_not_guessed_at() {
        let response = Assets::load().get("tidings.js").unwrap().respond(&request(""));
        assert_eq!(response.status, StatusCode::OK);
        assert_eq!(header(&response, "content-type"), Some("text/javascript; charset=utf-8"));
        assert_eq!(header(&response, "x-content-type-options"), Some("nosniff"));
        assert_eq!(header(&response, "cache-control"), Some("no-cache"));
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        let check = |accept: &str, expected: Option<&str>| {
            let response = page().respond(&request(accept));
            assert_eq!(header(&response, "content-encoding"), expected, "{accept}");
            assert_eq!(header(&response, "vary"), Some("accept-encoding"), "{accept}");
            assert_eq!(response.body.as_slice().len() < 600, expected.is_some(), "{accept}");
        };
        check("", None);
        check("Accept-Encoding: gzip\r\n", Some("gzip"));
        check("Accept-Encoding: br, GZIP;q=0.5\r\n", Some("gzip"));
        check("Accept-Encoding: br\r\nAccept-Encoding: gzip\r\n", Some("gzip"));
        check("Accept-Encoding: *\r\n", Some("gzip"));
        check("Accept-Encoding: *, gzip;q=0\r\n", None);
        check("Accept-Encoding: gzip;q=0\r\n", None);
        check("Accept-Encoding: gzip;q=0.5, identity\r\n", None);
        check("Accept-Encoding: deflate, br\r\n", None);
        check("Accept-Encoding:\r\n", None);
    }

    #[test]
    fn what_was_packed_unpacks_to_the_same() {
        let response = page().respond(&request("Accept-Encoding: gzip\r\n"));
        let mut plain = String::new();
        let mut decoder = flate2::read::GzDecoder::new(response.body.as_slice());
        std::io::Read::read_to_string(&mut decoder, &mut plain).unwrap();
        assert_eq!(plain, "Hello ".repeat(100));
    }

    #[test]
    fn what_would_not_shrink_is_not_packed() {
        let response = Asset::new("text/plain", b"hi".as_slice())
            .respond(&request("Accept-Encoding: gzip\r\n"));
        assert_eq!(response.body.as_slice(), b"hi");
        assert_eq!(
            (header(&response, "content-encoding"), header(&response, "vary")),
            (None, None)
        );
    }

    #[test]
    fn who_has_it_is_told_so() {
        let page = page();
        let tag = page.plain.tag.to_str().unwrap();
        let check = |header: &str, expected: StatusCode| {
            let response = page.respond(&request(header));
            assert_eq!(response.status, expected, "{header}");
            assert_eq!(response.body.as_slice().is_empty(), expected == StatusCode::NOT_MODIFIED);
        };
        check(&format!("If-None-Match: {tag}\r\n"), StatusCode::NOT_MODIFIED);
        check(&format!("If-None-Match: W/{tag}\r\n"), StatusCode::NOT_MODIFIED);
        check(&format!("If-None-Match: \"a,b\", {tag}\r\n"), StatusCode::NOT_MODIFIED);
        check(
            &format!("If-None-Match: \"a\"\r\nIf-None-Match: {tag}\r\n"),
            StatusCode::NOT_MODIFIED,
        );
        check("If-None-Match: *\r\n", StatusCode::NOT_MODIFIED);
        check("If-None-Match: \"other\"\r\n", StatusCode::OK);
        check(&format!("If-None-Match: {}\r\n", tag.trim_matches('"')), StatusCode::OK);
        // The tag of the plain bytes says nothing about the packed ones.
        check(&format!("If-None-Match: {tag}\r\nAccept-Encoding: gzip\r\n"), StatusCode::OK);
    }

    #[test]
    fn not_modified_carries_what_a_cache_updates() {
        let first = page().respond(&request("Accept-Encoding: gzip\r\n"));
        let tag = header(&first, "etag").unwrap();
        let headers = format!("Accept-Encoding: gzip\r\nIf-None-Match: {tag}\r\n");
        let again = page().respond(&request(&headers));
        assert_eq!(again.status, StatusCode::NOT_MODIFIED);
        for name in ["etag", "cache-control", "vary"] {
            assert_eq!(header(&again, name), header(&first, name));
        }
        assert!(!again.headers.contains_key(CONTENT_TYPE));
    }

    #[test]
    fn the_tag_changes_with_the_bytes() {
        assert_eq!(tag(b"a"), tag(b"a"));
        assert_ne!(tag(b"a"), tag(b"b"));
        assert_ne!(page().plain.tag, page().gzip.unwrap().tag);
    }
}
