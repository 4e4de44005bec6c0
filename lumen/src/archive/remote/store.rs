//! How a store is asked: in parts, again and again, and never longer than somebody waits for it.

use std::io::Read;
use std::path::Path as File;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use resonetics_runs::{Error, error, files, interrupt};
use sha2::{Digest, Sha256};

use super::open::Remote;
use super::trouble::Problem;
use crate::archive::bundle::hex;

/// Bytes of a part.
const PART: u64 = 8 << 20;
/// The most parts that a store takes.
const MOST_PARTS: u64 = 10_000;
/// How often an upload is tried again, and how long is waited first.
pub(super) const WRITE: (u32, Duration) = (3, Duration::from_secs(5));
/// The same of reading.
pub(super) const READ: (u32, Duration) = (2, Duration::from_secs(10));
/// How often it is looked whether somebody wants to stop.
const NAP: Duration = Duration::from_millis(50);

/// What was uploaded.
#[derive(Clone, Debug, Default)]
pub(super) struct Uploaded {
    pub(super) sha256: String,
    pub(super) etag: Option<String>,
    pub(super) version: Option<String>,
}

impl Uploaded {
    fn new(sha256: String, put: PutResult) -> Uploaded {
        Uploaded { sha256, etag: put.e_tag, version: put.version }
    }
}

impl Remote {
    /// Waits for `work`, and hears of signals.
    pub(super) fn wait<T>(&self, work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
        self.runtime.block_on(async {
            let stop = pin!(async {
                loop {
                    tokio::time::sleep(NAP).await;
                    if let Err(stop) = interrupt::check() {
                        return stop;
                    }
                }
            });
            match select(pin!(work), stop).await {
                Either::Left((done, _)) => done,
                Either::Right((stop, _)) => Err(Problem::Here(stop)),
            }
        })
    }

    /// Does `work` up to `1 + again` times while the store cannot be reached, and waits in between: `first`, and twice as
    /// long each time. `work` is told which time it is.
    pub(super) fn tried<T>(
        &self,
        again: u32,
        first: Duration,
        mut work: impl FnMut(u32) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let mut rest = self.wait.unwrap_or(first);
        for time in 0.. {
            match work(time) {
                Err(Problem::Unreachable { again: true, .. }) if time < again => {}
                done => return done,
            }
            let until = Instant::now() + rest;
            while Instant::now() < until {
                interrupt::check()?;
                std::thread::sleep(NAP.min(until.saturating_duration_since(Instant::now())));
            }
            rest *= 2;
        }
        Err(Problem::Unreachable { why: "it was tried too often".to_owned(), again: false })
    }

    /// What a store that knows of it keeps beside an object.
    fn attributes(&self, of: &[(&'static str, &str)]) -> Attributes {
        if self.folder.is_some() {
            return Attributes::new();
        }
        let pairs = of.iter().map(|(name, value)| (Attribute::Metadata((*name).into()), (*value).to_owned()));
        pairs.collect()
    }

    /// Uploads the file at `path` as the new object `to`, part after part.
    pub(super) fn upload(&self, path: &File, to: &Path, id: &str, sha256: &str) -> Result<Uploaded, Problem> {
        let mut file = files::open(path)?;
        let size = file.metadata().map_err(error::io("read", path))?.len();
        let attributes = self.attributes(&[("sha256", sha256), ("archive-id", id)]);
        let part = PART.max(size.div_ceil(MOST_PARTS));
        let mut hash = Sha256::new();
        let mut next = |left: u64| -> Result<Vec<u8>, Problem> {
            let mut bytes = vec![0; left.min(part) as usize];
            file.read_exact(&mut bytes).map_err(error::io("read", path))?;
            hash.update(&bytes);
            Ok(bytes)
        };
        let put = if size <= part {
            self.create(to, next(size)?, attributes)?
        } else {
            self.parts(to, size, attributes, &mut next)?
        };
        Ok(Uploaded::new(hex(hash), put))
    }

    /// Uploads a few bytes as the new object `to`.
    pub(super) fn create(
        &self,
        to: &Path,
        bytes: Vec<u8>,
        attributes: Attributes,
    ) -> Result<PutResult, Problem> {
        let options = PutOptions { mode: PutMode::Create, attributes, ..PutOptions::default() };
        self.wait(async { Ok(self.store.put_opts(to, PutPayload::from(bytes), options).await?) })
    }

    fn parts(
        &self,
        to: &Path,
        size: u64,
        attributes: Attributes,
        next: &mut dyn FnMut(u64) -> Result<Vec<u8>, Problem>,
    ) -> Result<PutResult, Problem> {
        // What is uploaded in parts cannot be bound to be new: it is looked before the first part and before all is joined.
        self.absent(to)?;
        let options = PutMultipartOptions { attributes, ..PutMultipartOptions::default() };
        let mut upload = self.wait(async { Ok(self.store.put_multipart_opts(to, options).await?) })?;
        let mut left = size;
        let mut all = || {
            while left > 0 {
                let bytes = next(left)?;
                left -= bytes.len() as u64;
                self.wait(async { Ok(upload.put_part(PutPayload::from(bytes)).await?) })?;
            }
            self.absent(to)?;
            self.wait(async { Ok(upload.complete().await?) })
        };
        let done = all();
        if done.is_err() {
            // The parts stay otherwise, and cost.
            let _ = self
                .runtime
                .block_on(async { tokio::time::timeout(Duration::from_secs(10), upload.abort()).await });
        }
        done
    }

    fn absent(&self, at: &Path) -> Result<(), Problem> {
        match self.wait(async { Ok(self.store.head(at).await?) }) {
            Ok(_) => Err(Problem::Exists),
            Err(Problem::Missing) => Ok(()),
            Err(problem) => Err(problem),
        }
    }

    /// Hands the bytes of an object to `take`, as they come.
    pub(super) fn stream(
        &self,
        from: &Path,
        take: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Problem> {
        self.reachable()?;
        self.wait(async {
            let mut stream = self.store.get(from).await?.into_stream();
            while let Some(bytes) = stream.next().await {
                take(&bytes?)?;
            }
            Ok(())
        })
    }

    /// All of a small object; of a larger one an error.
    pub(super) fn small(&self, from: &Path, most: u64) -> Result<Vec<u8>, Problem> {
        let mut all = Vec::new();
        self.stream(from, &mut |bytes| {
            all.extend_from_slice(bytes);
            if all.len() as u64 > most {
                return Err(Error::Failed(format!("an object has more than {most} bytes")));
            }
            Ok(())
        })?;
        Ok(all)
    }

    /// Objects below `prefix` whose names end so, sorted.
    pub(super) fn listed(&self, prefix: &Path, ending: &str) -> Result<Vec<Path>, Problem> {
        self.reachable()?;
        let mut found: Vec<Path> = self.wait(async {
            let all = self.store.list(Some(prefix)).map_ok(|object| object.location);
            let all = all.try_filter(|location| std::future::ready(location.as_ref().ends_with(ending)));
            Ok(all.try_collect().await?)
        })?;
        found.sort();
        Ok(found)
    }

    /// Whether the folder that it is is still there: without its disk every copy would be called missing.
    fn reachable(&self) -> Result<(), Problem> {
        match &self.folder {
            Some(folder) if !folder.is_dir() => {
                Err(Problem::Unreachable { why: "the folder is not there any more".to_owned(), again: true })
            }
            _ => Ok(()),
        }
    }
}
