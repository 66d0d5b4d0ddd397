//! A console on a database, and a browser that reads its pages.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use eventcore_console::{Console, Options, Secret};
use eventcore_harness::{Server, ServerOptions, shared};
use eventcore_inspect::connection::{Environment, Given, Target, resolve};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A database of the shared server.
pub(crate) struct Database {
    server: &'static Server,
    pub(crate) name: String,
    pub(crate) url: String,
}

impl Database {
    pub(crate) fn new(name: &str) -> Self {
        let server = shared();
        Self {
            server,
            name: name.to_owned(),
            url: server.create_database(name).unwrap(),
        }
    }

    /// A database without the extension.
    pub(crate) fn empty(name: &str) -> Self {
        let server = shared();
        Self {
            server,
            name: name.to_owned(),
            url: server.create_empty_database(name).unwrap(),
        }
    }

    /// The same on a server with background workers enough for a notifier and projections in each
    /// database.
    pub(crate) fn with_workers(name: &str) -> Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        let server = SERVER.get_or_init(|| {
            let options = ServerOptions::new().set("max_worker_processes", "64");
            // Tests that count what is read want to know who reads.
            Server::start(options.set("autovacuum", "off")).unwrap()
        });
        Self {
            server,
            name: name.to_owned(),
            url: server.create_database(name).unwrap(),
        }
    }

    /// A session of the superuser.
    pub(crate) async fn session(&self) -> tokio_postgres::Client {
        let connected = tokio_postgres::connect(&self.url, tokio_postgres::NoTls).await;
        let (client, connection) = connected.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Runs SQL as the superuser.
    pub(crate) fn sql(&self, sql: &str) -> String {
        self.server.psql(&self.name, sql).unwrap()
    }

    /// A console that only reads.
    pub(crate) async fn console(&self) -> Running {
        Running::start(&self.url, |options| options).await
    }
}

/// Where a URL leads to.
pub(crate) fn target(url: &str) -> Target {
    let given = Given {
        url: Some(url.to_owned()),
        ..Given::default()
    };
    resolve(&given, &Environment::of_process()).unwrap()
}

/// What people sign in with in tests.
pub(crate) const SECRET: &str = "correct horse battery";

pub(crate) fn secret() -> Option<Secret> {
    Some(Secret::new(SECRET).unwrap())
}

/// A console that runs in this process.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
    end: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn start(url: &str, change: impl FnOnce(Options) -> Options) -> Self {
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&log);
        let options = Options::new(target(url))
            .listen(([127, 0, 0, 1], 0).into())
            .log(move |line| lines.lock().unwrap().push(line.to_owned()));
        let console = Console::bind(change(options)).await.unwrap();
        let address = console.address();
        let (end, ends) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let ends = async {
                // Dropping the sender ends it too.
                let _ = ends.await;
            };
            console.run(ends).await.unwrap();
        });
        Self {
            address,
            log,
            end: Some(end),
            task,
        }
    }

    /// Ends it, and waits until it has ended.
    pub(crate) async fn stop(mut self) {
        drop(self.end.take());
        self.task.await.unwrap();
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// A browser that has been nowhere yet.
    pub(crate) fn browser(&self) -> Browser {
        Browser {
            address: self.address,
            client: Client::builder().redirect(Policy::none()).build().unwrap(),
            cookie: Mutex::default(),
        }
    }

    /// The text of a page that has to be there.
    pub(crate) async fn page(&self, path: &str) -> String {
        self.browser().page(path).await
    }
}

/// A browser without JavaScript: it keeps its cookie.
pub(crate) struct Browser {
    address: SocketAddr,
    client: Client,
    cookie: Mutex<Option<String>>,
}

impl Browser {
    /// A request with the cookie, as a person makes it who asks for a page.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.address);
        let request = self
            .client
            .request(method, url)
            .header("accept", "text/html");
        match &*self.cookie.lock().unwrap() {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        }
    }

    /// Sends it, and keeps the cookie that comes back.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Response {
        let response = request.send().await.unwrap();
        if let Some(cookie) = response.headers().get("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            *self.cookie.lock().unwrap() = Some(pair.to_owned());
        }
        response
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.send(self.request(Method::GET, path)).await
    }

    /// The text of a page that has to be there.
    #[track_caller]
    pub(crate) fn page(&self, path: &str) -> impl Future<Output = String> {
        let path = path.to_owned();
        async move {
            let response = self.get(&path).await;
            let status = response.status();
            let text = response.text().await.unwrap();
            assert_eq!(status, 200, "{path}: {text}");
            text
        }
    }

    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let mut form = String::new();
        for (name, value) in fields {
            let value: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
            form.push_str(&format!("{name}={value}&"));
        }
        let request = self
            .request(Method::POST, path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        self.send(request).await
    }

    /// Sends a form of a page that does something, and returns the page that comes next.
    pub(crate) async fn act(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> String {
        let csrf = self.csrf(page).await;
        let fields = [&[("csrf", csrf.as_str())], fields].concat();
        let response = self.post(action, &fields).await;
        let (status, next) = (
            response.status(),
            response.headers().get("location").cloned(),
        );
        let Some(next) = next else {
            let text = response.text().await.unwrap();
            panic!("{action}: {status} {text}");
        };
        self.page(next.to_str().unwrap()).await
    }

    /// Signs in.
    pub(crate) async fn sign_in(&self) {
        let response = self.post("/sign-in", &[("secret", SECRET)]).await;
        assert_eq!(response.status(), 303);
    }

    /// What the forms of a page send along.
    pub(crate) async fn csrf(&self, path: &str) -> String {
        let page = self.page(path).await;
        let token = page.split("name=\"csrf\" value=\"").nth(1);
        let token = token.unwrap_or_else(|| panic!("{path} has no form: {page}"));
        token.split('"').next().unwrap().to_owned()
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    eventually(what, async || is_so()).await;
}

/// The same for what has to be waited for.
pub(crate) async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    within(what, Duration::from_secs(60), is_so).await;
}

/// The same for what may take longer.
pub(crate) async fn within(what: &str, longest: Duration, is_so: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < longest, "{what} takes too long");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
