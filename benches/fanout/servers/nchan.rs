//! nginx with nchan, from Debian's packages `nginx` and `libnginx-mod-nchan`: the fastest server for
//! this that people use, and so the one to be measured against. Configured for what is measured: two
//! workers, no access log, room for a whole flood.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use super::launch::{Launch, Missing, Ready};

const PROGRAM: &str = "/usr/sbin/nginx";
const MODULE: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/// What starts it, if it is installed.
pub fn launch() -> io::Result<Result<Launch, Missing>> {
    if ![PROGRAM, MODULE].iter().all(|file| Path::new(file).exists()) {
        return Ok(Err("not installed: apt-get install nginx libnginx-mod-nchan"));
    }
    let files = tempfile::tempdir()?;
    let address = free_address()?;
    let directory = files.path().display().to_string();
    let configuration = files.path().join("nginx.conf");
    fs::write(&configuration, configure(&directory, address))?;
    let arguments = vec!["-p".into(), files.path().into(), "-c".into(), configuration.into()];
    // A master and two workers.
    let ready = Ready::Answers { address, processes: 3 };
    Ok(Ok(Launch { program: PROGRAM.into(), arguments, ready, files: Some(files) }))
}

/// nginx cannot be told to take any port; this one was free a moment ago.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn configure(directory: &str, address: SocketAddr) -> String {
    format!(
        "load_module {MODULE};
daemon off;
worker_processes 2;
worker_rlimit_nofile 65536;
pid {directory}/nginx.pid;
error_log {directory}/error.log crit;
events {{ worker_connections 32768; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    keepalive_requests 100000000;
    nchan_shared_memory_size 512m;
    server {{
        listen {address} backlog=4096;
        location = /publish {{
            nchan_publisher;
            nchan_channel_id fanout;
            nchan_message_buffer_length 50000;
            nchan_message_timeout 5m;
        }}
        location = /events {{
            nchan_subscriber eventsource;
            nchan_channel_id fanout;
            nchan_subscriber_first_message newest;
            nchan_eventsource_ping_interval 30;
        }}
    }}
}}
"
    )
}
