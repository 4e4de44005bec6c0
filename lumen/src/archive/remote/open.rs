//! Which store it is, and what it is asked with. Who asks is known from the environment alone, and never told.

use std::path::{Path as File, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use resonetics_runs::files::{sha256, text};
use resonetics_runs::{Error, error};
use serde::Deserialize;
use tokio::runtime::{Builder, Runtime};

use super::trouble::reason;

/// How long a store may take for an answer. A part has 8 MiB.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long it may take to say anything at all.
const CONNECT: Duration = Duration::from_secs(10);
/// How often a single request is repeated, before all of it is tried again.
const REPEATS: usize = 2;

/// Where copies are kept.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// A folder, or `file://`, `s3://BUCKET/PREFIX`, `gs://` or `az://`.
    pub url: String,
    /// The address of a store that is compatible with S3.
    pub endpoint: Option<String>,
    /// The region of a store of S3.
    pub region: Option<String>,
    /// How a store of S3 encrypts what it keeps: `AES256` or `aws:kms`.
    pub server_side_encryption: Option<String>,
    /// The key by which it does.
    pub kms_key_id: Option<String>,
    /// Seconds before the first repetition: 5 of an upload and 10 of a check otherwise. Each further one waits twice as long.
    pub retry_wait_seconds: Option<f64>,
}

impl Settings {
    /// The table `[remote]` of the TOML file at `path`.
    ///
    /// # Errors
    /// [`Error::Refused`] for what is none, also for a key that is not known: who asks is no setting.
    pub fn read(path: &File) -> Result<Settings, Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Whole {
            remote: Settings,
        }
        let whole: Result<Whole, _> = toml::from_str(&text(path)?);
        // The line with the problem is not shown: it may hold what is secret.
        whole.map(|whole| whole.remote).map_err(|problem| {
            Error::Refused(format!("{}: {}", path.display(), problem.message().replace('\n', " ")))
        })
    }
}

/// A store with copies of archives.
#[derive(Debug)]
pub struct Remote {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) prefix: Path,
    /// Which store it is, without the name of a host or a path.
    pub(super) provider: String,
    /// The folder that it is, if it is one.
    pub(super) folder: Option<PathBuf>,
    pub(super) wait: Option<Duration>,
    pub(super) runtime: Runtime,
}

impl Remote {
    /// The store that `settings` name. Nothing is asked of it yet.
    ///
    /// # Errors
    /// [`Error::Refused`] for what names none.
    pub fn open(settings: &Settings) -> Result<Remote, Error> {
        let wait = settings.retry_wait_seconds.map(|wait| {
            let refused =
                || Error::Refused("the wait before a retry: allowed are 0 to 3600 seconds".to_owned());
            if (0.0..=3600.0).contains(&wait) { Ok(Duration::from_secs_f64(wait)) } else { Err(refused()) }
        });
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|failure| Error::Failed(format!("cannot wait for a store: {failure}")))?;
        let url = settings.url.as_str();
        let (scheme, rest) = url.split_once("://").unwrap_or(("file", url));
        if scheme == "file" {
            let (store, folder, provider) = folder(rest)?;
            let (folder, prefix) = (Some(folder), Path::default());
            return Ok(Remote { store, prefix, provider, folder, wait: wait.transpose()?, runtime });
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let plain =
            |text: &str| !text.contains(['@', '?', '#', ':', '%', '\\']) && !text.contains(char::is_control);
        if bucket.is_empty() || !plain(rest) {
            return Err(Error::Refused(
                "--remote: give it as s3://BUCKET/PREFIX; who asks is said by the environment".to_owned(),
            ));
        }
        let prefix = Path::parse(prefix.trim_end_matches('/'))
            .map_err(|_| Error::Refused("--remote: its prefix has an empty part, `.` or `..`".to_owned()))?;
        let store = served(scheme, bucket, settings)?;
        let mut provider = format!("{scheme}://{bucket}");
        if let Some(endpoint) = endpoint(settings) {
            provider += &format!("#{}", &sha256(endpoint.as_bytes())[..8]);
        }
        Ok(Remote { store, prefix, provider, folder: None, wait: wait.transpose()?, runtime })
    }
}

/// A folder, which has to be there: a disk that is not mounted is no place for copies.
fn folder(path: &str) -> Result<(Arc<dyn ObjectStore>, PathBuf, String), Error> {
    let path = File::new(path);
    if !path.is_dir() {
        let path = path.display();
        return Err(Error::Failed(format!(
            "--remote: there is no folder {path}: make it, or mount the disk that has it"
        )));
    }
    let whole = path.canonicalize().map_err(error::io("read", path))?;
    let store = LocalFileSystem::new_with_prefix(&whole)
        .map_err(|failure| Error::Refused(format!("--remote: {}: {}", path.display(), reason(&failure))))?;
    let provider = format!("file:{}", &sha256(whole.as_os_str().as_encoded_bytes())[..8]);
    Ok((Arc::new(store.with_fsync(true)), whole, provider))
}

/// The address that is asked in place of Amazon's.
fn endpoint(settings: &Settings) -> Option<String> {
    let set = |name: &&str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let names = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
    settings
        .endpoint
        .clone()
        .or_else(|| names.iter().find_map(set))
        .filter(|_| settings.url.starts_with("s3:"))
}

fn served(scheme: &str, bucket: &str, settings: &Settings) -> Result<Arc<dyn ObjectStore>, Error> {
    // Another part of the program may have named it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let backoff = BackoffConfig { init_backoff: Duration::from_millis(200), ..BackoffConfig::default() };
    let retry = RetryConfig { backoff, max_retries: REPEATS, retry_timeout: Duration::from_secs(60) };
    let endpoint = endpoint(settings);
    let is_here = endpoint.as_deref().is_some_and(|endpoint| {
        ["http://127.0.0.1:", "http://localhost:", "http://[::1]:"]
            .iter()
            .any(|here| endpoint.starts_with(here))
    });
    let is_allowed = std::env::var("AWS_ALLOW_HTTP").is_ok_and(|value| value == "true");
    let client = ClientOptions::new()
        .with_timeout(PATIENCE)
        .with_connect_timeout(CONNECT)
        .with_allow_http(is_here || is_allowed);
    let built: object_store::Result<Arc<dyn ObjectStore>> = match scheme {
        "s3" => {
            let mut builder = AmazonS3Builder::from_env();
            let words = [
                ("aws_endpoint", &endpoint),
                ("aws_region", &settings.region),
                ("aws_server_side_encryption", &settings.server_side_encryption),
                ("aws_sse_kms_key_id", &settings.kms_key_id),
            ];
            for (name, value) in words {
                if let (Ok(name), Some(value)) = (name.parse::<AmazonS3ConfigKey>(), value) {
                    builder = builder.with_config(name, value);
                }
            }
            let built =
                builder.with_bucket_name(bucket).with_retry(retry).with_client_options(client).build();
            built.map(|store| Arc::new(store) as _)
        }
        "gs" => {
            let builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket);
            builder.with_retry(retry).with_client_options(client).build().map(|store| Arc::new(store) as _)
        }
        "az" => {
            let builder = MicrosoftAzureBuilder::from_env().with_container_name(bucket);
            builder.with_retry(retry).with_client_options(client).build().map(|store| Arc::new(store) as _)
        }
        _ => {
            return Err(Error::Refused(
                "--remote: allowed are a folder, file://, s3://, gs:// and az://".to_owned(),
            ));
        }
    };
    built.map_err(|failure| {
        Error::Refused(format!("--remote: the store cannot be asked: {}", reason(&failure)))
    })
}
