//! Answers that nobody wants any more.

use std::sync::mpsc;

use super::*;

/// Longer than anything here takes, and shorter than a question may.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks a server that says this and no more, and leaves off when the question is there. The server must be left then.
fn check(said: &'static str) {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}", silent.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = silent.accept().unwrap();
        read(&stream).unwrap();
        stream.write_all(said.as_bytes()).unwrap();
        tell.send(()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.read(&mut [0])
    });
    let limits = Limits { base_url, ..Limits::default() };
    assert!(limits.request_timeout > PATIENCE);
    let mut watch = |_| match told.try_recv() {
        Ok(()) => ControlFlow::Break(()),
        Err(_) => ControlFlow::Continue(()),
    };
    let stopped = chat(limits).summarize(&talk(3), &mut watch).unwrap_err();
    assert_eq!(stopped.error, EngineError::Stopped);
    match server.join().unwrap() {
        Ok(bytes) => assert_eq!(bytes, 0, "{said}"),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{said}"),
    }
}

#[test]
fn whoever_does_not_want_it_any_more_leaves_the_server() {
    check("");
    check("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: wait\n\n");
    check("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{");
}

#[test]
fn no_more_are_left_behind_than_may_be() {
    let model = Model::answering(Vec::new());
    let chat = chat(model.limits());
    let left = chat.client.leave(16);
    let mut looks = 0;
    let stopped = chat.summarize(&talk(3), &mut |_| {
        looks += 1;
        if looks > 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(stopped.unwrap_err().error, EngineError::Stopped);
    assert_eq!(model.asked().len(), 0);
    drop(left);
    chat.summarize(&talk(3), &mut |_| ControlFlow::Continue(())).unwrap();
}
