use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use policy::{Caller, SourceFile, Subject};

use super::*;
use crate::body::Body;
use crate::content::samples::{Sample, blob, image, index, signature};
use crate::identity::{Access, Ceiling};
use crate::inventory::{Forgetful, Settings};
use crate::public_url::PublicUrl;
use crate::upstream::fake::{Fake, Shelf};

mod bounds;
mod ceilings;
mod content;
mod deletes;
mod oracle;
mod reads;
mod shadow;
mod writes;

use content::Content;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// One caller for each kind of right, and a rule of the same name for each.
const POLICY: &str = r#"
rules:
  - {name: a-whole, subjects: ["user:a-whole"], images: ["team/app"], allow: [all]}
  - {name: b-tags, subjects: ["user:b-tags"], images: ["team/app:v*"], allow: [all]}
  - {name: c-but, subjects: ["user:c-but"], images: ["team/app"], allow: [all]}
  - name: c-but-dev
    subjects: ["user:c-but"]
    images: ["team/app:dev*"]
    deny: [pull, push, attach, delete]
  - {name: d-push, subjects: ["user:d-push"], images: ["team/app"], allow: [push]}
  - {name: e-create, subjects: ["user:e-create"], images: ["team/app"], allow: [create]}
  - {name: f-move, subjects: ["user:f-move"], images: ["team/app"], allow: [overwrite]}
  - {name: g-attach, subjects: ["user:g-attach"], images: ["team/app:v*"], allow: [pull, attach]}
  - {name: h-delete, subjects: ["user:h-delete"], images: ["team/app:v*"], allow: [pull, delete]}
  - {name: others, subjects: [authenticated], images: ["team/other"], allow: [all]}
"#;

const CALLERS: [&str; 9] = [
    "a-whole", "b-tags", "c-but", "d-push", "e-create", "f-move", "g-attach", "h-delete", "z-none",
];

/// Everything that a decision looks at.
struct World {
    content: Content,
    policy: Policy,
    inventory: Inventory,
    fake: Fake,
    shelf: Arc<Mutex<Shelf>>,
    upstream: Arc<Upstream>,
    locks: Locks,
    release: Release,
    seal: Seal,
    now: Timestamp,
}

impl World {
    async fn new() -> Self {
        Self::with(Settings { linger: DAY, ..Settings::default() }).await
    }

    async fn with(settings: Settings) -> Self {
        let content = Content::new();
        let shelf = Arc::new(Mutex::new(content.shelf()));
        let shown = Arc::clone(&shelf);
        let fake = Fake::start(move |asked| shown.lock().unwrap().answer(asked)).await;
        let inventory = Inventory::new(settings, Arc::new(Forgetful));
        let now = Timestamp::now();
        content.learn(&inventory, now);
        Self {
            content,
            policy: policy(POLICY),
            inventory,
            upstream: Arc::new(fake.upstream()),
            fake,
            shelf,
            locks: Locks::default(),
            release: Release::sample(crate::state::sample::absent()),
            seal: Seal::new(&[7; 32]),
            now,
        }
    }

    fn question<'a>(&'a self, principal: &'a Principal) -> Question<'a> {
        Question {
            policy: &self.policy,
            inventory: &self.inventory,
            upstream: &self.upstream,
            locks: &self.locks,
            release: &self.release,
            seal: &self.seal,
            principal,
            now: self.now,
            max_requests: self.inventory.settings().max_requests,
        }
    }

    /// Puts digests and the fallback tag in the place of their names.
    fn resolved(&self, text: &str) -> String {
        let named = self.content.named();
        let text = text.replace("FALLBACK", &self.content.fallback());
        text.split_inclusive(['/', '?', '&', '=', '@'])
            .map(|part| {
                let (name, end) = match part.strip_suffix(['/', '?', '&', '=', '@']) {
                    Some(name) => (name, &part[name.len()..]),
                    None => (part, ""),
                };
                let digest = named.get(name).map(ToString::to_string);
                format!("{}{end}", digest.unwrap_or_else(|| name.to_owned()))
            })
            .collect()
    }

    /// The opposite, so that outcomes can be read; and the caller's own name.
    fn readable(&self, text: &str, who: &str) -> String {
        let mut text = text.replace(&self.content.fallback(), "FALLBACK").replace(who, "CALLER");
        for (name, digest) in self.content.named() {
            text = text.replace(&digest.to_string(), name);
        }
        text
    }

    fn operation(&self, request: &str) -> Operation {
        let (method, target) = request.split_once(' ').unwrap();
        let target = self.resolved(&format!("/v2/{target}"));
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target.as_str(), None),
        };
        Operation::parse(method, path, query).unwrap()
    }

    async fn ask(&self, principal: &Principal, request: &str) -> String {
        let operation = self.operation(request);
        let outcome = authorize(self.question(principal), operation.clone()).await;
        self.told(principal, &operation, &outcome)
    }

    async fn put(&self, principal: &Principal, request: &str, manifest: &Sample) -> String {
        let operation = self.operation(request);
        let outcome = match put_manifest(self.question(principal), operation.clone()).await {
            Ok(pending) => pending.judge(manifest.bytes.clone().into(), None).await,
            Err(refusal) => Err(refusal),
        };
        self.told(principal, &operation, &outcome)
    }

    fn told(
        &self,
        principal: &Principal,
        asked: &Operation,
        outcome: &Result<Permit, Refusal>,
    ) -> String {
        let text = match outcome {
            Ok(permit) => permitted(permit, asked, self.held()),
            Err(refusal) => refused(refusal, asked),
        };
        let who = principal.caller.subject.to_string();
        self.readable(&text, who.trim_start_matches("user:"))
    }

    /// How `team/app` is locked, found out by trying.
    fn held(&self) -> &'static str {
        let app = repository("team/app");
        let mut cx = Context::from_waker(Waker::noop());
        if pin!(self.locks.share(&app)).poll(&mut cx).is_pending() {
            ", lock alone"
        } else if pin!(self.locks.alone(&app)).poll(&mut cx).is_pending() {
            ", lock shared"
        } else {
            ""
        }
    }

    /// What everybody is told, those who are told the same together.
    async fn everybody(&self, request: &str) -> String {
        let mut outcomes = Vec::new();
        for who in CALLERS {
            outcomes.push((who, self.ask(&user(who), request).await));
        }
        together(request, &outcomes)
    }

    async fn everybody_puts(&self, request: &str, manifest: &Sample) -> String {
        let mut outcomes = Vec::new();
        for who in CALLERS {
            outcomes.push((who, self.put(&user(who), request, manifest).await));
        }
        together(request, &outcomes)
    }
}

fn policy(text: &str) -> Policy {
    let file = SourceFile { path: "policy.yaml".to_owned(), text: text.to_owned() };
    match Policy::compile(&[file]) {
        Ok(compiled) => compiled.policy,
        Err(diagnostics) => panic!("{}", diagnostics.render(false)),
    }
}

fn repository(name: &str) -> RepositoryName {
    RepositoryName::new(name).unwrap()
}

fn user(name: &str) -> Principal {
    let subject = Subject::User(name.to_owned());
    let caller = Caller::new(subject, Vec::new());
    Principal { caller, ceiling: Ceiling::Unlimited, token_id: None }
}

/// The same caller with a token for some actions in `team/app`.
fn token(name: &str, actions: &[Action]) -> Principal {
    let access = Access::Repository { name: repository("team/app"), actions: actions.to_vec() };
    Principal { ceiling: Ceiling::Access(vec![access]), ..user(name) }
}

fn permitted(permit: &Permit, asked: &Operation, lock: &str) -> String {
    let mut text = match permit.granted() {
        Granted::Plain(operation) if operation == asked => "plain".to_owned(),
        Granted::Plain(operation) => format!("plain, as {}", operation.canonical_target()),
        Granted::Gated(operation) => {
            assert_eq!(operation, asked);
            "gated".to_owned()
        }
        Granted::ArtifactOnly(operation) => {
            assert_eq!(operation, asked);
            "artifact only".to_owned()
        }
        Granted::Manifest { operation, content } => {
            assert_eq!(operation, asked);
            assert_eq!(
                content.digest,
                crate::content::digest(content.digest.algorithm(), &content.bytes)
            );
            "manifest".to_owned()
        }
        Granted::Upload { operation, upload } => {
            assert_eq!(operation, asked);
            format!("upload at {}", upload.location)
        }
    };
    text.push_str(lock);
    if let Some(rule) = permit.rule() {
        text.push_str(&format!(", by {rule}"));
    }
    text
}

fn refused(refusal: &Refusal, asked: &Operation) -> String {
    let issuer = PublicUrl::new("https://gate.example").unwrap();
    let response = refusal.response(&crate::refusal::Context {
        issuer: &issuer,
        operation: Some(asked),
        version: http::Version::HTTP_11,
        request_id: "r1",
    });
    let challenge = response.headers().get("www-authenticate").cloned();
    let status = response.status().as_u16();
    let Body::Full(body) = response.into_body() else { panic!("a refusal has a body") };
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let error = &body["errors"][0];
    // Each denial names its request, which is the same here for all.
    let named = if status == 403 { " (request r1)" } else { "" };
    let text = |key: &str| error[key].as_str().unwrap().replace(named, "");
    // Which rule comes nearest is the policy's to say, and long.
    let message = text("message");
    let message = message.split("; rule").next().unwrap();
    let mut told = format!("{status} {}: {message}", text("code"));
    if let Some(challenge) = challenge {
        let (_, scope) = challenge.to_str().unwrap().split_once("scope=").unwrap();
        told.push_str(&format!(" [scope={scope}]"));
    }
    told
}

fn together(request: &str, outcomes: &[(&str, String)]) -> String {
    let mut lines = vec![request.to_owned()];
    let mut told: Vec<(String, Vec<&str>)> = Vec::new();
    for (who, outcome) in outcomes {
        match told.iter_mut().find(|(text, _)| text == outcome) {
            Some((_, callers)) => callers.push(who),
            None => told.push((outcome.clone(), vec![who])),
        }
    }
    lines
        .extend(told.into_iter().map(|(text, callers)| format!("  {}: {text}", callers.join(" "))));
    lines.join("\n")
}
