//! `lumen`: what watches runs, one file for each of its commands.

mod archive;
mod check_proof;
mod collect;
mod ctl;
mod decrypt;
mod doctor;
mod export;
mod fingerprint;
mod freeze;
mod ingest;
mod issue;
mod keys;
mod lab;
mod log;
mod map;
mod memory;
mod notify;
mod pack;
mod passphrase;
mod prove;
mod pull;
mod push;
mod remote;
mod reproduce;
mod restore;
mod resume;
mod retain;
mod root;
mod runs;
mod sealing;
mod serve;
mod sign;
mod signals;
mod since;
mod smoke;
mod status;
mod sync_index;
mod up;
mod validate;
mod verify;
mod verify_remote;
mod watch;
mod watched;

use clap::{Args, Subcommand};
use resonetics_runs::Error;

use super::context::Context;

#[derive(Debug, Args)]
pub struct LumenArgs {
    #[command(subcommand)]
    pub command: LumenCommand,
}

#[derive(Debug, Subcommand)]
pub enum LumenCommand {
    /// Print what the signals of runs say, or what they were worth
    Signals(signals::SignalsArgs),
    /// Print state, level and losses of runs; exit status 1 if one needs attention
    Status(status::StatusArgs),
    /// Tell a run at work something, or print what it was told
    Ctl(ctl::CtlArgs),
    /// Watch a training at work from now on
    Up(up::UpArgs),
    /// Watch it no more
    Down(up::DownArgs),
    /// Find out what a change of a setting does, or did
    Lab(lab::LabArgs),
    /// Print the windows of a run as they come, with their level
    Watch(watch::WatchArgs),
    /// Print the events of a run, a line each, for another program
    Tail(watch::TailArgs),
    /// Read logs of events into a store, on from where they were read to
    Ingest(ingest::IngestArgs),
    /// Serve what is known of all runs: questions, metrics for Prometheus, its targets
    Serve(serve::ServeArgs),
    /// Write what Prometheus would be shown into a file, or push it
    Export(export::ExportArgs),
    /// List runs and how they ended, as the ledger runs.jsonl
    Runs(runs::RunsArgs),
    /// Make a metrics.json from runs, a ledger or a Prometheus
    Collect(collect::CollectArgs),
    /// Print the six resonance coordinates of a metrics.json
    Map(map::MapArgs),
    /// Look up a key of memory: checkpoints, the best one, windows
    Memory(memory::MemoryArgs),
    /// Send a message to a webhook, a chat or an Alertmanager
    Notify(notify::NotifyArgs),
    /// Check a file that Lumen wrote or reads against its schema
    Validate(validate::ValidateArgs),
    /// Archive a run, also while it trains
    Freeze(freeze::FreezeArgs),
    /// Check an archive by its bytes: exit status 1 if it is not what was written, 3 if there is none
    Verify(verify::VerifyArgs),
    /// Bring the run of an archive back, into a new folder
    Restore(restore::RestoreArgs),
    /// Decrypt a file of age, or one of the design documents
    Decrypt(decrypt::DecryptArgs),
    /// List archives, or make their index anew
    Archive(archive::ArchiveArgs),
    /// Say which archives to keep by age, and delete the others
    Retain(retain::RetainArgs),
    /// Write where a run is and how it goes on into one file, with the run itself if asked: RUN.pack
    Pack(pack::PackArgs),
    /// Say where a run was, what is known of it and how it goes on, and do so: of a pack, or of the run's folder
    Resume(resume::ResumeArgs),
    /// Do everything once, for real and small, and say whether it works: exit status 1 if a part does not
    Smoke(smoke::SmokeArgs),
    /// Look whether all that Lumen needs is as it should be, and change nothing; exit status 1 if something is not
    Doctor(doctor::DoctorArgs),
    /// Copy an archive to a store elsewhere, and read the copy back
    Push(push::PushArgs),
    /// Bring an archive back from a store
    Pull(pull::PullArgs),
    /// Read copies in a store and compare their bytes: exit status 1 if one is not what was uploaded or cannot be asked for, 3
    /// if one is missing
    VerifyRemote(verify_remote::VerifyRemoteArgs),
    /// List how what is on record of copies differs from what is in the store
    SyncIndex(sync_index::SyncIndexArgs),
    /// Make a key that signs, replace or revoke one, say with others whose are trusted
    Keys(keys::KeysArgs),
    /// Print the hashes of all files of a folder and the one over them, or compare them with what it printed
    Fingerprint(fingerprint::FingerprintArgs),
    /// Sign a file: FILE.sig.json
    Sign(sign::SignArgs),
    /// Sign what a finished run's results are and where they come from, and log it: RUN.proof.json
    Prove(prove::ProveArgs),
    /// Append to a transparency log, print its head, or check it
    Log(log::LogArgs),
    /// Check a proof, from the file and public keys alone: exit status 1 if it does not hold, 3 if it cannot be known
    CheckProof(check_proof::CheckProofArgs),
    /// Repeat the run of a proof and sign that its results are the same
    Reproduce(reproduce::ReproduceArgs),
}

pub fn run(args: &LumenArgs, context: Context) -> Result<(), Error> {
    match &args.command {
        LumenCommand::Signals(args) => signals::run(args),
        LumenCommand::Status(args) => status::run(args),
        LumenCommand::Ctl(args) => ctl::run(args),
        LumenCommand::Up(args) => up::up(args),
        LumenCommand::Down(args) => up::down(args),
        LumenCommand::Lab(args) => lab::run(args, context),
        LumenCommand::Watch(args) => watch::run(args, context),
        LumenCommand::Tail(args) => watch::tail(args),
        LumenCommand::Ingest(args) => ingest::run(args, context),
        LumenCommand::Serve(args) => serve::run(args, context),
        LumenCommand::Export(args) => export::run(args),
        LumenCommand::Runs(args) => runs::run(args),
        LumenCommand::Collect(args) => collect::run(args),
        LumenCommand::Map(args) => map::run(args),
        LumenCommand::Memory(args) => memory::run(args),
        LumenCommand::Notify(args) => notify::run(args),
        LumenCommand::Validate(args) => validate::run(args),
        LumenCommand::Freeze(args) => freeze::run(args),
        LumenCommand::Verify(args) => verify::run(args),
        LumenCommand::Restore(args) => restore::run(args),
        LumenCommand::Decrypt(args) => decrypt::run(args),
        LumenCommand::Archive(args) => archive::run(args),
        LumenCommand::Retain(args) => retain::run(args),
        LumenCommand::Pack(args) => pack::run(args),
        LumenCommand::Resume(args) => resume::run(args, context),
        LumenCommand::Smoke(args) => smoke::run(args),
        LumenCommand::Doctor(args) => doctor::run(args),
        LumenCommand::Push(args) => push::run(args),
        LumenCommand::Pull(args) => pull::run(args),
        LumenCommand::VerifyRemote(args) => verify_remote::run(args),
        LumenCommand::SyncIndex(args) => sync_index::run(args),
        LumenCommand::Keys(args) => keys::run(args),
        LumenCommand::Fingerprint(args) => fingerprint::run(args),
        LumenCommand::Sign(args) => sign::run(args),
        LumenCommand::Prove(args) => prove::run(args),
        LumenCommand::Log(args) => log::run(args),
        LumenCommand::CheckProof(args) => check_proof::run(args),
        LumenCommand::Reproduce(args) => reproduce::run(args, context),
    }
}
