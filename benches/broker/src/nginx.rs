//! nginx as a proxy in front of a static answer of its own: what a request costs that nobody has to decide about.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::machine::{Cores, free_port};

/// One process, which is both the proxy and the server behind it. Connections are kept on both sides, for as many requests
/// as come. As the broker does, it writes a line to its log for each request. The answer has the header fields of the
/// broker's.
const CONFIGURATION: &str = r#"
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
events {}
http {
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    access_log /dev/null;
    keepalive_requests 1000000000;
    upstream answer {
        server 127.0.0.1:{behind};
        keepalive 64;
        keepalive_requests 1000000000;
    }
    server {
        listen 127.0.0.1:{port};
        location / {
            proxy_pass http://answer;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }
    }
    server {
        listen 127.0.0.1:{behind};
        access_log off;
        default_type application/json;
        location / {
            add_header Cache-Control no-store;
            add_header Pragma no-cache;
            add_header Referrer-Policy no-referrer;
            add_header X-Content-Type-Options nosniff;
            add_header X-Frame-Options DENY;
            add_header Content-Security-Policy "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
            return 200 "{body}";
        }
    }
}
"#;

pub(crate) struct Nginx {
    process: Child,
    folder: PathBuf,
    address: String,
}

impl Nginx {
    /// Starts nginx with answers of this many bytes, and waits until it listens.
    pub(crate) fn start(cores: Cores, length: usize) -> Outcome<Self> {
        let folder = std::env::temp_dir().join(format!("restream-oauth-broker-bench-nginx-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let (port, behind) = (free_port()?, free_port()?);
        let text = CONFIGURATION
            .replace("{folder}", &folder.display().to_string())
            .replace("{port}", &port.to_string())
            .replace("{behind}", &behind.to_string())
            .replace("{body}", &"x".repeat(length));
        fs::write(folder.join("nginx.conf"), text)?;
        let process = cores
            .server("nginx")
            .arg("-p")
            .arg(&folder)
            .arg("-e")
            .arg(folder.join("error.log"))
            .arg("-c")
            .arg(folder.join("nginx.conf"))
            .stdin(Stdio::null())
            .spawn()?;
        let mut nginx = Self { process, folder, address: format!("127.0.0.1:{port}") };
        let begun = Instant::now();
        while TcpStream::connect(&nginx.address).is_err() {
            if begun.elapsed() > Duration::from_mins(1) || nginx.process.try_wait()?.is_some() {
                let log = fs::read_to_string(nginx.folder.join("error.log")).unwrap_or_default();
                return Err(format!("nginx does not listen: {log}").into());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(nginx)
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
