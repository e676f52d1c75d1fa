//! A real browser, as somebody would sit before it.

use std::future::Future;
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fantoccini::elements::Element;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use url::Url;

use super::gate::Gate;
use super::process::{Daemon, free_port, program};

/// For something to appear on a page.
const PATIENCE: Duration = Duration::from_secs(30);

/// Keys, as WebDriver writes them.
pub(crate) const TAB: &str = "\u{e004}";
pub(crate) const ENTER: &str = "\u{e007}";
const SPACE: &str = " ";
const CONTROL: &str = "\u{e009}";
/// Lets go of what is held down.
const NO_MORE: &str = "\u{e000}";

/// More than the longest page has places to go to.
const MOST_TABS: usize = 300;

/// How it is set up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// In pixels.
    pub(crate) width: u32,
}

pub(crate) const DESK: Window = Window { width: 1280 };

pub(crate) struct Browser {
    runtime: Runtime,
    client: Client,
    origin: String,
    /// Whether there is a mouse.
    has_mouse: bool,
    _driver: Daemon,
    _folder: TempDir,
}

impl Browser {
    /// Shows the gate's front page. Whether its certificate is trusted is tested elsewhere.
    pub(crate) fn start(gate: &Gate, window: Window) -> Self {
        let (chromium, driver) =
            (program("chromium", "chromium"), program("chromedriver", "chromium-driver"));
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut daemon = Daemon::start(&driver, folder.path().join("log"), |command| {
            command.arg(format!("--port={port}"));
        });
        daemon.ready("listen", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        // It asks nobody but the gate for anything.
        let quiet = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
        ];
        let profile = format!("--user-data-dir={}", folder.path().join("profile").display());
        let size = format!("--window-size={},900", window.width.max(500));
        let arguments: Vec<_> = quiet.into_iter().chain([profile.as_str(), &size]).collect();
        let mut options = json!({"binary": chromium, "args": arguments});
        if window.width < 500 {
            // No window is that narrow.
            let metrics = json!({"width": window.width, "height": 800, "pixelRatio": 1.0});
            options["mobileEmulation"] = json!({"deviceMetrics": metrics});
        }
        let Value::Object(capabilities) = json!({"acceptInsecureCerts": true, "timeouts": {"script": 180_000}, "goog:chromeOptions": options})
        else {
            unreachable!()
        };
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities);
        let driver = format!("http://127.0.0.1:{port}");
        let client = runtime.block_on(builder.connect(&driver)).unwrap();
        let origin = format!("https://{}", gate.name());
        let has_mouse = true;
        let browser = Self { runtime, client, origin, has_mouse, _driver: daemon, _folder: folder };
        browser.open("/");
        browser
    }

    fn wait<T, E: std::fmt::Debug>(&self, act: impl Future<Output = Result<T, E>>) -> T {
        self.runtime.block_on(act).unwrap()
    }

    pub(crate) fn open(&self, path: &str) {
        self.wait(self.client.goto(&format!("{}{path}", self.origin)));
    }

    /// Where it is, without the origin.
    pub(crate) fn path(&self) -> String {
        let url = self.wait(self.client.current_url());
        url.as_str().strip_prefix(&self.origin).unwrap_or(url.as_str()).to_owned()
    }

    /// All that can be read on the page.
    pub(crate) fn text(&self) -> String {
        let body = self.wait(self.client.find(Locator::Css("body")));
        self.wait(body.text())
    }

    /// Waits until the page says this.
    #[track_caller]
    pub(crate) fn says(&self, words: &str) {
        let path = format!("//body[contains(normalize-space(.), {})]", quoted(words));
        let waiting = self.client.wait().at_most(PATIENCE).for_element(Locator::XPath(&path));
        if self.runtime.block_on(waiting).is_err() {
            panic!("{} does not say {words:?}, but: {}", self.path(), self.text());
        }
    }

    fn element(&self, path: &str) -> Element {
        let waiting = self.client.wait().at_most(PATIENCE).for_element(Locator::XPath(path));
        match self.runtime.block_on(waiting) {
            Ok(element) => element,
            Err(error) => panic!("{path} is not on {}: {error}\n{}", self.path(), self.text()),
        }
    }

    /// Types into the field of this label.
    #[track_caller]
    pub(crate) fn fill(&self, label: &str, text: &str) {
        let named = format!("//*[@id = //label[normalize-space() = {}]/@for]", quoted(label));
        let field = self.element(&named);
        if self.has_mouse {
            self.wait(field.clear());
            self.wait(field.send_keys(text));
        } else {
            self.go_to(&field, label);
            self.keys(&format!("{CONTROL}a{NO_MORE}{text}"));
        }
    }

    /// Presses the button, or follows the link, with this text.
    #[track_caller]
    pub(crate) fn press(&self, text: &str) {
        let text = quoted(text);
        let path = format!(
            "//button[normalize-space() = {text} or @aria-label = {text}] | //a[normalize-space() = {text} or @aria-label = {text}]"
        );
        let element = self.element(&path);
        if self.has_mouse {
            self.wait(element.click());
        } else {
            self.go_to(&element, &text);
            let is_link = self.wait(element.tag_name()) == "a";
            self.keys(if is_link { ENTER } else { SPACE });
        }
    }

    /// From now on there is no mouse: what is filled in and pressed is reached with the tab key.
    pub(crate) fn unplug_mouse(&mut self) {
        self.has_mouse = false;
    }

    /// Presses the tab key until this has the focus, and can be seen to have it.
    #[track_caller]
    fn go_to(&self, element: &Element, name: &str) {
        const HAS_FOCUS: &str = "return document.activeElement === arguments[0]";
        const IS_MARKED: &str = "const style = getComputedStyle(document.activeElement);
            return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0";
        let wanted = serde_json::to_value(element).unwrap();
        for _ in 0..MOST_TABS {
            if self.wait(self.client.execute(HAS_FOCUS, vec![wanted.clone()])) == json!(true) {
                assert_eq!(self.measure(IS_MARKED), json!(true), "{name} does not show its focus");
                return;
            }
            self.keys(TAB);
        }
        panic!("the tab key does not lead to {name} on {}", self.path());
    }

    /// The text of the element with this id.
    pub(crate) fn text_of(&self, id: &str) -> String {
        self.wait(self.element(&format!("//*[@id = {}]", quoted(id))).text())
    }

    /// Presses keys, wherever the focus is.
    pub(crate) fn keys(&self, keys: &str) {
        let focused = self.wait(self.client.active_element());
        self.wait(focused.send_keys(keys));
    }

    /// No script of a page runs any more.
    pub(crate) fn disable_script(&self) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({"value": true}));
    }

    /// As the reader's system wants it: "light" or "dark".
    pub(crate) fn prefer(&self, colours: &str) {
        let feature = json!({"name": "prefers-color-scheme", "value": colours});
        self.devtools("Emulation.setEmulatedMedia", json!({"features": [feature]}));
    }

    /// The whole page as a picture, as WebP.
    pub(crate) fn picture(&self) -> Vec<u8> {
        let size = &self.devtools("Page.getLayoutMetrics", json!({}))["cssContentSize"];
        // A page without end is shown as far as somebody would scroll.
        let height = size["height"].as_f64().unwrap().min(4000.0);
        let clip = json!({"x": 0, "y": 0, "width": size["width"], "height": height, "scale": 1});
        let how = json!({
            "format": "webp", "quality": 75, "captureBeyondViewport": true, "clip": clip,
        });
        let picture = self.devtools("Page.captureScreenshot", how);
        STANDARD.decode(picture["data"].as_str().unwrap()).unwrap()
    }

    /// Asks the browser itself (Chrome DevTools Protocol).
    fn devtools(&self, command: &'static str, parameters: Value) -> Value {
        self.wait(self.client.issue_cmd(DevTools { command, parameters }))
    }

    /// What axe finds on the page that keeps people out: rule, impact, and where.
    pub(crate) fn barriers(&self) -> Vec<String> {
        let script = format!(
            "const done = arguments[arguments.length - 1]; {AXE_BEGIN}
            axe.run(document, {{resultTypes: ['violations']}}).then(
                (results) => done(results.violations.map((it) => [it.id, it.impact,
                    it.nodes.map((node) => node.html + ' ' + node.any.map((it) => it.message)).join(' | ')])),
                (error) => done([['failed', 'critical', String(error)]]));",
            AXE_BEGIN = axe(),
        );
        let found = self.wait(self.client.execute_async(&script, Vec::new()));
        let found: Vec<(String, Option<String>, String)> = serde_json::from_value(found).unwrap();
        let told = found
            .into_iter()
            .map(|(rule, impact, place)| format!("{} {rule}: {place}", impact.unwrap_or_default()));
        told.collect()
    }

    /// What a script says that is run by the browser itself, not by the page.
    pub(crate) fn measure(&self, script: &str) -> Value {
        self.wait(self.client.execute(script, Vec::new()))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let closing = self.client.clone().close();
        // It ends with its driver in any case.
        let _ = self.runtime.block_on(closing);
    }
}

/// A command of the browser's own protocol, as its driver hands it on.
#[derive(Debug)]
struct DevTools {
    command: &'static str,
    parameters: Value,
}

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        let body = json!({"cmd": self.command, "params": self.parameters});
        (Method::POST, Some(body.to_string()))
    }
}

/// The source of axe-core, which `scripts/test` installs.
fn axe() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/axe/node_modules/axe-core/axe.min.js");
    std::fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("{path}: {error}; run `npm ci --prefix tests/axe`"))
}

/// As XPath has it, which knows no escapes.
fn quoted(text: &str) -> String {
    assert!(!text.contains('"'), "{text}");
    format!("\"{text}\"")
}
