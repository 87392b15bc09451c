//! Files that mean no good.

use std::fmt::Write;

use super::*;

const BOUNDS: Bounds = Bounds { max_pages: 50, timeout: Duration::from_secs(60) };

/// A file of these objects, numbered from 1; the first is the catalog.
fn file(objects: &[String]) -> Vec<u8> {
    let mut text = "%PDF-1.7\n".to_owned();
    let mut offsets = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        offsets.push(text.len());
        writeln!(text, "{} 0 obj\n{object}\nendobj", index + 1).unwrap();
    }
    let start = text.len();
    writeln!(text, "xref\n0 {}\n0000000000 65535 f ", objects.len() + 1).unwrap();
    for offset in &offsets {
        writeln!(text, "{offset:010} 00000 n ").unwrap();
    }
    let size = objects.len() + 1;
    write!(text, "trailer\n<</Size {size}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF").unwrap();
    text.into_bytes()
}

fn stream(dictionary: &str, content: &str) -> String {
    format!("<<{dictionary}/Length {}>>\nstream\n{content}\nendstream", content.len())
}

/// A file of one page with this content; object 6 and what follows are `more`.
fn page(content: &str, resources: &str, more: &[String]) -> Vec<u8> {
    let resources = format!("<</Font<</F 5 0 R>>{resources}>>");
    let mut objects = vec![
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        format!(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources{resources}>>"
        ),
        stream("", content),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>".to_owned(),
    ];
    objects.extend_from_slice(more);
    file(&objects)
}

fn read_within(bytes: Vec<u8>, bounds: Bounds) -> Result<Vec<String>, Unreadable> {
    let reader = Reader::default();
    let outcome = reader.read(bytes, bounds, &|| false);
    assert_eq!(reader.lost_readers(), 0, "a reader does not stop");
    outcome.map(|paper| paper.lines.into_iter().map(|line| line.text).collect())
}

fn read(bytes: Vec<u8>) -> Result<Vec<String>, Unreadable> {
    read_within(bytes, BOUNDS)
}

fn check(content: &str, expected: &[&str]) {
    assert_eq!(read(page(content, "", &[])).unwrap(), expected, "{content}");
}

#[test]
fn text_stands_where_it_is_put() {
    check("BT /F 10 Tf 50 700 Td (Hello) Tj 0 -20 Td (world) Tj ET", &["Hello", "world"]);
    check("BT /F 10 Tf 50 700 Td [(Hel) -20 (lo) -300 (you)] TJ ET", &["Hello you"]);
    check(
        "BT /F 10 Tf 14 TL 50 700 Td (a) Tj T* (b) Tj (c) ' 1 2 (d) \" ET",
        &["a", "b", "c", "d"],
    );
    check("q .5 0 0 .5 0 0 cm BT /F 20 Tf 1 0 0 1 50 700 Tm (a) Tj ET Q", &["a"]);
    // Drawn from the bottom to the top.
    check("BT /F 10 Tf 50 100 Td (b) Tj 0 50 Td (a) Tj ET", &["a", "b"]);
    // Far apart on one line; and bold by writing twice.
    check("BT /F 10 Tf 50 700 Td (a) Tj 200 0 Td (b) Tj ET", &["a\tb"]);
    check("BT /F 10 Tf 50 700 Td (AB) Tj .3 0 Td (AB) Tj ET", &["AB"]);
    // Up the margin.
    check("BT /F 10 Tf 50 700 Td (a) Tj 0 1 -1 0 20 100 Tm (margin) Tj ET", &["a"]);
}

#[test]
fn forms_have_their_own_place() {
    let form = stream(
        "/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Matrix[1 0 0 1 0 -100]",
        "BT /F 10 Tf 50 700 Td (in the form) Tj ET",
    );
    let content = "/X Do BT /F 10 Tf 50 650 Td (on the page) Tj ET";
    let bytes = page(content, "/XObject<</X 6 0 R>>", &[form]);
    assert_eq!(read(bytes).unwrap(), ["on the page", "in the form"]);
}

#[test]
fn a_page_that_is_shown_turned_is_read_turned() {
    // Written upwards, and turned back by the page.
    let content = "BT /F 10 Tf 0 1 -1 0 50 100 Tm (one) Tj 0 1 -1 0 70 100 Tm (two) Tj ET";
    let upright = String::from_utf8(page(content, "", &[])).unwrap();
    let turned = upright.replace("/MediaBox[0 0 600 800]", "/Rotate 90/MediaBox[] ");
    assert_eq!(read(turned.into_bytes()).unwrap(), ["one", "two"]);
}

#[test]
fn a_form_that_draws_itself_ends() {
    let form = stream(
        "/Type/XObject/Subtype/Form/Resources<</XObject<</X 6 0 R>>>>",
        "/X Do BT /F 10 Tf 50 700 Td (a) Tj ET",
    );
    assert!(read(page("/X Do", "/XObject<</X 6 0 R>>", &[form])).is_ok());
}

/// Eight forms, each of which draws the next one ten times; and so, in the end, a hundred million.
fn fan() -> Vec<u8> {
    let form = |index: usize| {
        let next = index + 7;
        let resources = format!("/Resources<</XObject<</X {next} 0 R>>>>");
        stream(&format!("/Type/XObject/Subtype/Form{resources}"), &"/X Do ".repeat(10))
    };
    let forms: Vec<_> = (0..8).map(form).collect();
    page("/X Do", "/XObject<</X 6 0 R>>", &forms)
}

#[test]
fn what_takes_too_long_is_stopped() {
    let hasty = Bounds { timeout: Duration::from_millis(100), ..BOUNDS };
    assert_eq!(read_within(fan(), hasty), Err(Unreadable::Slow(hasty.timeout)));
}

#[test]
fn what_nobody_wants_any_more_is_stopped() {
    let reader = Reader::default();
    assert_eq!(reader.read(fan(), BOUNDS, &|| true), Err(Unreadable::Cancelled));
    assert_eq!(reader.lost_readers(), 0);
}

#[test]
fn readers_that_do_not_stop_are_counted_until_they_do() {
    let reader = Reader::default();
    let (running, ended): (Vec<_>, Vec<_>) = (0..MAX_LOST).map(|_| bounded(0)).unzip();
    reader.lost.lock().extend(ended);
    let hello = || page("BT /F 10 Tf 50 700 Td (Hello) Tj ET", "", &[]);
    assert_eq!(reader.read(hello(), BOUNDS, &|| false), Err(Unreadable::Busy));
    drop(running);
    assert!(reader.read(hello(), BOUNDS, &|| false).is_ok());
}

#[test]
fn a_stream_that_unpacks_to_too_much_is_not_read() {
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![b' '; 1 << 20];
    for _ in 0..20 {
        std::io::Write::write_all(&mut packed, &zeros).unwrap();
    }
    let packed = packed.finish().unwrap();
    assert!(packed.len() < 40_000);
    let mut hex = String::new();
    for byte in packed {
        write!(hex, "{byte:02x}").unwrap();
    }
    let bomb = stream("/Filter[/ASCIIHexDecode/FlateDecode]", &format!("{hex}>"));
    let mut bytes = String::from_utf8(page("", "", &[bomb])).unwrap();
    bytes = bytes.replace("/Contents 4 0 R", "/Contents 6 0 R");
    let expected = Unreadable::NoText { pages: 1, images: 0, unreadable: 0 };
    assert_eq!(read(bytes.into_bytes()), Err(expected));
}

#[test]
fn too_many_pages_are_refused() {
    let bounds = Bounds { max_pages: 1, ..BOUNDS };
    let kids = "<</Type/Pages/Kids[3 0 R 3 0 R]/Count 2>>";
    let page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]>>";
    let bytes = file(&["<</Type/Catalog/Pages 2 0 R>>", kids, page].map(str::to_owned));
    let found = read_within(bytes, bounds);
    assert_eq!(found, Err(Unreadable::Pages { found: 2, max: 1 }));
}

#[test]
fn a_font_that_does_not_say_what_its_codes_are_is_told_apart_from_an_image() {
    let font = "<</Type/Font/Subtype/Type0/BaseFont/X/Encoding/Identity-H/DescendantFonts[]>>";
    let content = "BT /G 10 Tf 50 700 Td <00010002> Tj ET";
    let mut bytes = String::from_utf8(page(content, "", &[font.to_owned()])).unwrap();
    bytes = bytes.replace("/Font<</F 5 0 R>>", "/Font<</G 6 0 R>>");
    let expected = Unreadable::NoText { pages: 1, images: 0, unreadable: 2 };
    assert_eq!(read(bytes.into_bytes()), Err(expected));
}

#[test]
fn deep_nesting_ends() {
    let deep =
        |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    for object in [deep("[", "]"), deep("<</A", ">>"), deep("(", ")")] {
        let bytes = page("BT /F 10 Tf 50 700 Td (Hello) Tj ET", "/A 6 0 R", &[object]);
        // Read or refused, but not the end of the process.
        let _ = read(bytes);
    }
    let content = format!("BT /F 10 Tf 50 700 Td (Hello) Tj ET {}", deep("[", "]"));
    check(&content, &["Hello"]);
    let _ = read(page(&format!("{} Tj", deep("(", ")")), "", &[]));
}

#[test]
fn damaged_files_are_read_or_refused() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/resumes/");
    let mut random = fastrand::Rng::with_seed(5);
    for name in ["weasy.pdf", "interleaved.pdf", "groff.pdf", "locked-against-changes.pdf"] {
        let whole = std::fs::read(format!("{folder}{name}")).unwrap();
        for _ in 0..40 {
            let mut bytes = whole.clone();
            for _ in 0..random.usize(1..30) {
                let at = random.usize(..bytes.len());
                bytes[at] = random.u8(..);
            }
            if random.bool() {
                bytes.truncate(random.usize(..bytes.len()));
            }
            let outcome = read(bytes);
            assert!(
                !matches!(outcome, Err(Unreadable::Crashed | Unreadable::Slow(_))),
                "{name}: {outcome:?}"
            );
        }
    }
}

/// A page's content: texts, each with where it stands.
fn drawn(texts: &[(u32, u32, &str)]) -> String {
    let text = |(x, y, text): &(u32, u32, &str)| format!("1 0 0 1 {x} {y} Tm ({text}) Tj ");
    format!("BT /F 10 Tf {} ET", texts.iter().map(text).collect::<String>())
}

#[test]
fn columns_are_read_one_after_the_other() {
    let content = drawn(&[
        (250, 760, "Jane Doe"),
        (50, 700, "Skills"),
        (300, 700, "Experience"),
        (50, 680, "Bread"),
        (300, 680, "Baker"),
        (50, 660, "Cake"),
        (300, 660, "Acme"),
        (50, 600, "This line is as long as both of the columns are, so it ends them"),
    ]);
    let last = "This line is as long as both of the columns are, so it ends them";
    check(&content, &["Jane Doe", "Skills", "Bread", "Cake", "Experience", "Baker", "Acme", last]);
}

#[test]
fn a_table_is_read_row_by_row() {
    let content = drawn(&[
        (50, 700, "2015 - 2018"),
        (200, 700, "Baker"),
        (50, 680, "2012 - 2015"),
        (200, 680, "Cook"),
        (50, 660, "2010 - 2012"),
        (200, 660, "Waiter"),
    ]);
    check(&content, &["2015 - 2018\tBaker", "2012 - 2015\tCook", "2010 - 2012\tWaiter"]);
    // Headings on one side only.
    let content = drawn(&[
        (50, 700, "Skills"),
        (200, 700, "Bread"),
        (50, 680, "Languages"),
        (200, 680, "French"),
        (50, 660, "Hobbies"),
        (200, 660, "Chess"),
    ]);
    check(&content, &["Skills\tBread", "Languages\tFrench", "Hobbies\tChess"]);
}

#[test]
fn letters_that_are_spaced_out_are_words() {
    check("BT /F 10 Tf 4 Tc 4 Tw 50 700 Td (WORK HISTORY) Tj ET", &["WORK HISTORY"]);
}
