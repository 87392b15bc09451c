//! `/openapi.json` as programs get it. What it says is held against the server by `scripts/check-openapi`.

use super::support::Server;

#[test]
fn the_document_is_served_and_known_by_its_tag() {
    let server = Server::start(&[]);
    let response = server.get("/openapi.json");
    assert_eq!(response.head.status, 200);
    assert_eq!(response.head.header("content-type"), Some("application/json"));
    let document = response.json();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/events"]["get"].is_object());

    let tag = response.head.header("etag").unwrap();
    let again = server.send(&format!(
        "GET /openapi.json HTTP/1.1\r\nHost: t\r\nConnection: close\r\nIf-None-Match: {tag}\r\n\r\n"
    ));
    assert_eq!((again.head.status, again.body.len()), (304, 0));
}
