//! docker-registry, running, with a log that tells where it routed each request.

use std::collections::HashMap;
use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The tag that every repository has. Nobody generates it by accident.
pub(crate) const TAG: &str = "current-release";

/// The digest of `{}`, which is the configuration of every image.
pub(crate) const CONFIG: &str =
    "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

/// A registry with storage of its own, stopped at the end.
pub(crate) struct Registry {
    process: Child,
    folder: TempDir,
}

/// What it answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

/// Where it routed a request, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Route {
    pub(crate) name: Option<String>,
    pub(crate) reference: Option<String>,
    pub(crate) digest: Option<String>,
    pub(crate) uuid: Option<String>,
}

impl Registry {
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().display();
        let configuration = format!(
            "version: 0.1\n\
             log: {{level: debug, formatter: json}}\n\
             storage: {{filesystem: {{rootdirectory: {path}/data}}, delete: {{enabled: true}}}}\n\
             http: {{net: unix, addr: {path}/socket}}\n"
        );
        fs::write(folder.path().join("config.yml"), configuration).unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(folder.path().join("config.yml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let process = match process {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!("install docker-registry: this test compares with the real one")
            }
            process => process.unwrap(),
        };
        let mut registry = Self { process, folder };
        let started = Instant::now();
        while UnixStream::connect(registry.socket()).is_err() {
            let ended = registry.process.try_wait().unwrap();
            if ended.is_some() || started.elapsed() > Duration::from_secs(30) {
                panic!("docker-registry does not serve: {}", registry.log());
            }
            sleep(Duration::from_millis(10));
        }
        registry
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Sends a request target as it is. `agent` finds the request again in `routes`.
    pub(crate) fn send(&self, agent: &str, method: &str, target: &str) -> Answer {
        self.send_body(agent, method, target, "")
    }

    fn send_body(&self, agent: &str, method: &str, target: &str, body: &str) -> Answer {
        let length = body.len();
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        // HTTP/1.0, so that the answer ends with the connection.
        let request = format!(
            "{method} {target} HTTP/1.0\r\nHost: registry\r\nUser-Agent: {agent}\r\n\
             Content-Type: {IMAGE}\r\nAccept: {IMAGE}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// Puts an image into a repository that is like no other, and gives its digest.
    pub(crate) fn fill(&self, repository: &str) -> String {
        let upload = self.send("fill", "POST", &format!("/v2/{repository}/blobs/uploads/"));
        let location = upload.header("Location").unwrap();
        let location = location.strip_prefix("http://registry").unwrap();
        let blob = self.send_body("fill", "PUT", &format!("{location}&digest={CONFIG}"), "{}");
        assert_eq!(blob.status, 201, "{blob:?}");
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{CONFIG}","size":2}},"layers":[],"annotations":{{"repository":"{repository}"}}}}"#
        );
        let target = format!("/v2/{repository}/manifests/{TAG}");
        let answer = self.send_body("fill", "PUT", &target, &manifest);
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.header("Docker-Content-Digest").unwrap()
    }

    /// Where each request was routed, by its agent. A request that fits no route is not there.
    pub(crate) fn routes(&self) -> HashMap<String, Route> {
        let log = self.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let routed = lines.filter(|line| line["msg"] == "authorizing request");
        let text = |line: &Value, key: &str| line[key].as_str().map(str::to_owned);
        routed
            .map(|line| {
                let route = Route {
                    name: text(&line, "vars.name"),
                    reference: text(&line, "vars.reference"),
                    digest: text(&line, "vars.digest"),
                    uuid: text(&line, "vars.uuid"),
                };
                (text(&line, "http.request.useragent").unwrap(), route)
            })
            .collect()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut values = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value.to_owned())
    }
}
