//! What nobody should send: framing tricks, broken lines, endless heads.
//!
//! Each case is run whole, byte by byte and in odd pieces (see [`outcome`]).

use super::{LIMITS, outcome, text};
use crate::serve::http::head::MAX_HEADERS;

/// Checks what becomes of these bytes.
fn check(bytes: impl AsRef<[u8]>, expected: &str) {
    let bytes = bytes.as_ref();
    assert_eq!(outcome(bytes), expected, "{:?}", text(bytes));
}

/// Checks what becomes of a POST with these header lines and what follows, before another request.
fn check_body(headers: &str, rest: &str, expected: &str) {
    check(
        format!(
            "POST / HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n{rest}GET /next HTTP/1.1\r\nHost: x\r\n\r\n"
        ),
        expected,
    );
}

/// Checks what becomes of a GET with this additional header line.
fn check_header(line: &str, expected: &str) {
    check(format!("GET / HTTP/1.1\r\nHost: x\r\n{line}\r\n\r\n"), expected);
}

#[test]
fn a_first_line_is_method_target_version() {
    for bad in [
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        " GET / HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET\t/ HTTP/1.1",
        "GET /\tHTTP/1.1",
        "GET / http/1.1",
        "GET / HTTP/1.1x",
        "GET / HTTP/11",
        "GET / HTTP/1",
        "GET /",
        "GET",
        "G@T / HTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET /\u{e9} HTTP/1.1",
        "GET /#top HTTP/1.1",
        "GET a HTTP/1.1",
        "GET * HTTP/1.1",
        "GET ftp://x/ HTTP/1.1",
        "GET http:///a HTTP/1.1",
        "GET http://me@x/ HTTP/1.1",
        "GET x:80 HTTP/1.1",
    ] {
        check(format!("{bad}\r\nHost: x\r\n\r\n"), "400");
    }
    check("CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", "501");
    for other in ["HTTP/2.0", "HTTP/0.9", "HTTP/1.2", "HTTP/3.0"] {
        check(format!("GET / {other}\r\nHost: x\r\n\r\n"), "505");
    }
    check("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505");
}

#[test]
fn a_path_is_not_repaired() {
    for bad in [
        "/..",
        "/a/../b",
        "/%2e%2e/b",
        "/.%2E",
        "/./a",
        "/%",
        "/%4",
        "/%zz",
        "/%%41",
        "/%00",
        "/a%0d%0ab",
        "/%ff",
        "/%c0%af",
        "/%7f",
    ] {
        check(format!("GET {bad} HTTP/1.1\r\nHost: x\r\n\r\n"), "400");
    }
    for good in ["/...", "/a..b", "/%2F", "//", "/%c3%a9", "/a+b", "/a|b"] {
        check(format!("GET {good} HTTP/1.1\r\nHost: x\r\n\r\n"), &format!("GET {good} [], end"));
    }
}

#[test]
fn lines_end_in_both_characters() {
    check("GET / HTTP/1.1\nHost: x\n\n", "400");
    check("GET / HTTP/1.1\r\nHost: x\n\r\n", "400");
    check("GET / HTTP/1.1\r\nHost: x\r\n\n", "400");
    check("GET / HTTP/1.1\rHost: x\r\r", "400");
    check("GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n", "400");
    check("GET / HTTP/1.1\r\nHost: x\r\r\n\r\n", "400");
    check("\n\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", "400");
    check("\rGET / HTTP/1.1\r\nHost: x\r\n\r\n", "400");
}

#[test]
fn a_few_empty_lines_may_come_first() {
    let get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    check(format!("\r\n{get}"), "GET / [], end");
    check(format!("\r\n\r\n\r\n\r\n{get}\r\n{get}"), "GET / [], GET / [], end");
    check(format!("\r\n\r\n\r\n\r\n\r\n{get}"), "400");
    check("\r\n", "end");
    check("\r", "end");
}

#[test]
fn a_header_is_a_name_a_colon_and_a_value() {
    for bad in [
        "A : b",
        "A\t: b",
        " A: b",
        "\tA: b",
        ": b",
        "A",
        "A b: c",
        "A\"b: c",
        "(A): b",
        "A: b\r\n c",
        "A: b\r\n\tc",
        "A: b\0",
        "\0A: b",
        "A: \x01",
        "A: b\x7f",
        "A: b\x0bc",
        "\u{e9}: b",
    ] {
        check_header(bad, "400");
    }
    for good in ["A:b", "A:", "A: \t b \t", "A: \u{e9}", "A: b\tc", "!#$%&'*+-.^_`|~: b"] {
        check_header(good, "GET / [], end");
    }
}

#[test]
fn there_is_exactly_one_host() {
    check("GET / HTTP/1.1\r\n\r\n", "400");
    check("GET / HTTP/1.0\r\n\r\n", "GET / [], closed");
    check("GET / HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n", "400");
    check_header("Host: x", "400");
    check_header("host: y", "400");
    for bad in ["a b", "a, b", "a/b", "me@a", "a:b:c", "[::1", "a\"", "http://a"] {
        check(format!("GET / HTTP/1.1\r\nHost: {bad}\r\n\r\n"), "400");
    }
    for good in ["", "a", "a.example:80", "[::1]:5001", "127.0.0.1"] {
        check(format!("GET / HTTP/1.1\r\nHost: {good}\r\n\r\n"), "GET / [], end");
    }
    // The target's host does not excuse a missing header.
    check("GET http://x/ HTTP/1.1\r\n\r\n", "400");
}

#[test]
fn a_length_is_one_number() {
    for bad in [
        "+1",
        "-1",
        "1,1",
        "1, 1",
        "1 1",
        "0x1",
        "1a",
        "a",
        "",
        "1.0",
        "99999999999999999999",
        "\"1\"",
        "1;1",
    ] {
        check_body(&format!("Content-Length: {bad}"), "a", "400");
    }
    check_body("Content-Length: 1\r\nContent-Length: 1", "a", "400");
    check_body("Content-Length: 1\r\nContent-Length: 2", "a", "400");
    check_body("Content-Length: 0\r\ncontent-length: 5", "", "400");
    check_body("Content-Length:1", "a", "POST / [a], GET /next [], end");
    check_body("Content-Length: \t001 ", "a", "POST / [a], GET /next [], end");
    check_body("Content-Length: 0", "", "POST / [], GET /next [], end");
    check_body("A: b", "", "POST / [], GET /next [], end");
}

#[test]
fn the_only_coding_is_chunked() {
    for bad in [
        "gzip",
        "gzip, chunked",
        "chunked, gzip",
        "chunked, chunked",
        "identity",
        "",
        "xchunked",
        "chunkedx",
        "\"chunked\"",
        "chunked;a=b",
        "chunked,",
        ",chunked",
        "\x0bchunked",
        "chunk ed",
    ] {
        check_body(&format!("Transfer-Encoding: {bad}"), "0\r\n\r\n", "400");
    }
    check_body("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n", "400");
    check_body("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", "0\r\n\r\n", "400");
    check_body("Transfer-Encoding : chunked", "0\r\n\r\n", "400");
    check_body("Transfer-Encoding\0: chunked", "0\r\n\r\n", "400");
    check_body("X: y\nTransfer-Encoding: chunked", "0\r\n\r\n", "400");
    check_body("X: y\rTransfer-Encoding: chunked", "0\r\n\r\n", "400");
    check_body("Transfer-Encoding:\r\n chunked", "0\r\n\r\n", "400");
    check_body("Transfer-Encoding: CHUNKED \t", "0\r\n\r\n", "POST / [], GET /next [], end");
    check("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400");
}

#[test]
fn a_body_has_one_length_not_two() {
    check_body("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n", "400");
    check_body("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n", "400");
    check_body("Content-Length: 0\r\nTransfer-Encoding: chunked", "0\r\n\r\n", "400");
    check_body("Content-Length: 5\r\nTransfer-Encoding: gzip", "12345", "400");
}

#[test]
fn chunks_are_framed_exactly() {
    for bad in [
        "\r\n\r\n",
        " 1\r\na\r\n0\r\n\r\n",
        "1 \r\na\r\n0\r\n\r\n",
        "+1\r\na\r\n0\r\n\r\n",
        "-1\r\na\r\n0\r\n\r\n",
        "0x1\r\na\r\n0\r\n\r\n",
        "g\r\n",
        "1\na\r\n0\r\n\r\n",
        "1\r\na\n0\r\n\r\n",
        "1\r\nab\r\n0\r\n\r\n",
        "2\r\na\r\n0\r\n\r\n",
        "1\r\na0\r\n\r\n",
        "1\r\na\r\n0\n\n",
        "1\r\na\r\n0\r\n\n",
        ";a\r\n",
        "1\ra\r\n0\r\n\r\n",
        "1;a\nb\r\na\r\n0\r\n\r\n",
        "1;a\rb\r\na\r\n0\r\n\r\n",
        "1;\0\r\na\r\n0\r\n\r\n",
        "00000000000000001\r\na\r\n0\r\n\r\n",
        "10000000000000000\r\n",
        "0\r\nA\r\n\r\n",
        "0\r\n A: b\r\n\r\n",
        "0\r\nA b: c\r\n\r\n",
        "0\r\n: b\r\n\r\n",
        "0\r\nA: b\n\r\n",
        "0\r\nA: \0\r\n\r\n",
        "0\r\nA: b\r\r\n\r\n",
    ] {
        let outcome = outcome(
            format!("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{bad}")
                .as_bytes(),
        );
        assert!(outcome == "400", "{bad:?} gave {outcome}");
    }
    for good in [
        "1\r\na\r\n0\r\n\r\n",
        "01\r\na\r\n00\r\n\r\n",
        "0000000000000001\r\na\r\n0\r\n\r\n",
        "1;x\r\na\r\n0;y=\"z;\"\r\n\r\n",
        "1; x = y\r\na\r\n0\r\n\r\n",
        "1\r\na\r\n0\r\nA: b\r\nC:\r\n\r\n",
    ] {
        check_body("Transfer-Encoding: chunked", good, "POST / [a], GET /next [], end");
    }
    check_body(
        "Transfer-Encoding: chunked",
        "A\r\n0123456789\r\nb\r\n0123456789a\r\n0\r\n\r\n",
        "POST / [01234567890123456789a], GET /next [], end",
    );
}

#[test]
fn sizes_beyond_all_numbers_are_too_large() {
    check_body("Transfer-Encoding: chunked", "ffffffffffffffff\r\n", "413");
    check_body("Transfer-Encoding: chunked", "100001\r\n", "413");
    check_body("Transfer-Encoding: chunked", "1\r\na\r\n100000\r\n", "413");
    check_body("Content-Length: 9223372036854775807", "", "413");
    check_body("Content-Length: 1048577", "", "413");
}

#[test]
fn what_surrounds_chunks_cannot_grow_for_ever() {
    let long = "x".repeat(5000);
    check_body("Transfer-Encoding: chunked", &format!("1;{long}\r\na\r\n0\r\n\r\n"), "400");
    check_body("Transfer-Encoding: chunked", &format!("0\r\nA: {long}\r\n\r\n"), "400");
    check_body("Transfer-Encoding: chunked", &format!("0\r\n{long}: b\r\n\r\n"), "400");
    let crumbs = format!("1;{}\r\na\r\n", "x".repeat(500)).repeat(20);
    check_body("Transfer-Encoding: chunked", &format!("{crumbs}0\r\n\r\n"), "400");
}

#[test]
fn expectations_that_cannot_be_met_are_refused() {
    check_header("Expect: 200-ok", "417");
    check_header("Expect: 100-continue, x", "417");
    check_header("Expect: 100-continue\r\nExpect: 100-continue", "417");
    check_header("Expect: 100-Continue", "GET / [], end");
    check("GET / HTTP/1.0\r\nExpect: x\r\n\r\n", "GET / [], closed");
}

#[test]
fn heads_have_a_size() {
    let long = "a".repeat(20_000);
    check(format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"), "414");
    check(&long, "414");
    check_header(&format!("A: {long}"), "431");
    check_header(&format!("{long}: a"), "431");
    check_header(&"A: b\r\n".repeat(5000), "431");
    let lines = |count: usize| "A: b\r\n".repeat(count);
    let get = |count| format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", lines(count));
    check(get(MAX_HEADERS - 1), "GET / [], end");
    check(get(MAX_HEADERS), "431");
}

#[test]
fn the_largest_head_fits_and_one_byte_more_does_not() {
    let head = |size: usize| {
        let empty = "GET / HTTP/1.1\r\nHost: x\r\nA: \r\n\r\n";
        format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "a".repeat(size - empty.len()))
    };
    check(head(LIMITS.head_bytes), "GET / [], end");
    check(head(LIMITS.head_bytes + 1), "431");
    check(head(LIMITS.head_bytes).repeat(3), "GET / [], GET / [], GET / [], end");
}

#[test]
fn who_hangs_up_in_the_middle_is_gone() {
    for part in ["G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r"] {
        check(part, "gone");
    }
    let post = "POST / HTTP/1.1\r\nHost: x\r\n";
    check(format!("{post}Content-Length: 5\r\n\r\n1234"), "gone");
    check(format!("{post}Transfer-Encoding: chunked\r\n\r\n5\r\n1234"), "gone");
    check(format!("{post}Transfer-Encoding: chunked\r\n\r\n0\r\n"), "gone");
}

/// Whatever comes, the server answers or closes, and holds no more than its limits.
#[test]
fn random_bytes_are_survived() {
    let mut random = fastrand::Rng::with_seed(7);
    let pieces: &[&str] = &[
        "GET ",
        "POST ",
        "/",
        " HTTP/1.1\r\n",
        " HTTP/1.0\r\n",
        "Host: x\r\n",
        "\r\n",
        "\r\n\r\n",
        "\n",
        "\r",
        "Content-Length: ",
        "5",
        "Transfer-Encoding: chunked\r\n",
        "0\r\n\r\n",
        "a",
        ":",
        " ",
        "\0",
        "%",
        "\u{e9}",
        "Connection: close\r\n",
        "Expect: 100-continue\r\n",
        ";",
        "ffffffffffffffff",
        "?",
        "#",
        "http://x/",
    ];
    for _ in 0..20_000 {
        let mut bytes = Vec::new();
        for _ in 0..random.usize(1..20) {
            bytes.extend_from_slice(pieces[random.usize(..pieces.len())].as_bytes());
            if random.u8(..) < 8 {
                bytes.push(random.u8(..));
            }
        }
        let seen = outcome(&bytes);
        assert!(
            ["end", "closed", "gone", "400", "413", "414", "417", "431", "501", "505"]
                .iter()
                .any(|end| seen.ends_with(end)),
            "{:?} gave {seen}",
            text(&bytes),
        );
    }
}
