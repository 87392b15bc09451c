//! A small site with videos: pages, captions, a feed; what it is asked is counted.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

pub(super) struct Site {
    address: SocketAddr,
    shared: Arc<Shared>,
    hang_ups: Receiver<()>,
}

struct Shared {
    requests: AtomicUsize,
    /// Told when somebody leaves who was told nothing.
    hang_ups: Sender<()>,
    /// What stands at which path besides the pages that are always there: status and body.
    extra: Mutex<HashMap<String, (String, String)>>,
}

const EN: &str = "WEBVTT\n\n00:01.000 --> 00:04.000\nDr. Lee says that the harbour needs a new lamp.\n\n\
    00:05.500 --> 00:09.000\nEvery ship that enters the harbour looks for the lamp.\n\n\
    00:10.000 --> 00:12.000\nThe weather was fine on all of those days.\n";
const SRT: &str = "1\r\n00:00:02,250 --> 00:00:03,000\r\nThe lamp burns.\r\n";
const DE: &str = "WEBVTT\n\n00:01.000 --> 00:04.000\nDer Hafen braucht eine neue Lampe.\n";

impl Site {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (hang_ups, hung_up) = mpsc::channel();
        let (requests, extra) = (AtomicUsize::default(), Mutex::default());
        let shared = Arc::new(Shared { requests, hang_ups, extra });
        let serving = shared.clone();
        // It ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let serving = serving.clone();
                thread::spawn(move || serving.answer(&stream, address));
            }
        });
        Self { address, shared, hang_ups: hung_up }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// How often it was asked for anything.
    pub(super) fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// Waits until somebody leaves who has asked for `/stuck.xml`.
    pub(super) fn await_hang_up(&self) {
        self.hang_ups.recv_timeout(Duration::from_secs(30)).expect("somebody still waits");
    }

    /// Sends whoever asks for this path elsewhere.
    pub(super) fn redirect(&self, path: &str, to: &str) {
        let status = format!("302 Found\r\nLocation: {to}");
        self.shared.extra.lock().unwrap().insert(path.to_owned(), (status, String::new()));
    }

    /// A video whose captions are at this address.
    pub(super) fn captions(&self, path: &str, captions: &str) {
        let page = page(&format!(r#"<track kind="captions" srclang="en" src="{captions}">"#));
        self.shared.extra.lock().unwrap().insert(path.to_owned(), ("200 OK".into(), page));
    }
}

impl Shared {
    fn answer(&self, stream: &TcpStream, address: SocketAddr) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let mut first = String::new();
        reader.read_line(&mut first).ok()?;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 || line == "\r\n" {
                break;
            }
        }
        self.requests.fetch_add(1, Ordering::SeqCst);
        let path = first.split(' ').nth(1)?.to_owned();
        if path == "/stuck.xml" {
            // Until there is nobody any more.
            io::copy(&mut reader.by_ref(), &mut io::sink()).ok();
            return self.hang_ups.send(()).ok();
        }
        let (status, body) = self.find(&path, address);
        let kind = match path.rsplit('.').next()? {
            "vtt" => "text/vtt",
            "srt" => "application/x-subrip",
            "xml" => "application/rss+xml",
            "mp4" => "video/mp4",
            _ => "text/html",
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n",
            body.len()
        );
        let mut stream = stream;
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(body.as_bytes()).ok()
    }

    fn find(&self, path: &str, address: SocketAddr) -> (String, String) {
        if let Some(found) = self.extra.lock().unwrap().get(path) {
            return found.clone();
        }
        let body = match path {
            "/talk.html" => page(
                r#"<track kind="subtitles" srclang="de" src="/de.vtt">
                   <track kind="captions" srclang="en" label="English" src="/en.vtt">"#,
            ),
            "/silent.html" => page(""),
            "/text.html" => "<!doctype html><title>Words</title><p>Only words.".to_owned(),
            "/en.vtt" => EN.to_owned(),
            "/de.vtt" => DE.to_owned(),
            "/en.srt" => SRT.to_owned(),
            "/feed.xml" => feed(address),
            "/v.mp4" => "not much of a film".to_owned(),
            "/busy.xml" => return ("429 Too Many Requests".into(), "Not now.".into()),
            _ => return ("404 Not Found".into(), "There is nothing here.".into()),
        };
        ("200 OK".into(), body)
    }
}

fn page(tracks: &str) -> String {
    format!(
        "<!doctype html><html><head><title>A talk on lamps</title></head><body>\
         <video src=\"/v.mp4\">{tracks}</video></body></html>"
    )
}

fn feed(address: SocketAddr) -> String {
    let item = |title: &str, path: &str| {
        format!("<item><title>{title}</title><link>http://{address}{path}</link></item>")
    };
    let items = [
        item("Lamps", "/talk.html"),
        item("Silence", "/silent.html"),
        item("One too many", "/talk.html?3"),
    ];
    format!(
        "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>Talks of the harbour</title>{}\
         </channel></rss>",
        items.concat()
    )
}
