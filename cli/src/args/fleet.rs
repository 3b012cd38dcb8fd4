//! Arguments of the commands that prepare and inspect a fleet.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use zerver_trace::duration::HumanDuration;

#[derive(Debug, Args)]
pub(crate) struct Fleet {
    #[command(subcommand)]
    pub(crate) command: FleetCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FleetCommand {
    /// Create the namespace of a fleet, or change its settings
    ///
    /// In PostgreSQL, creates a schema, its tables and functions, and the roles `zerver_ship` and `zerver_read`. In a bucket,
    /// writes the settings. May run again.
    Init(FleetInit),
    /// Bring the namespace of a fleet to the version of this build, in place
    Upgrade,
    /// List the nodes of a fleet, and how far behind each is
    Status,
    /// Pack what services have written to a bucket into few objects, and delete what is too old
    ///
    /// To be run once an hour. Commands read meanwhile as always.
    Compact(FleetCompact),
    /// Move old days from a database to a bucket, which commands on the database then read too
    ///
    /// The oldest day first. A day is read again from the bucket before it is removed from the database.
    Archive(FleetArchive),
    /// Make and list the keys for which services seal secrets
    Key(FleetKey),
}

#[derive(Debug, Args)]
pub(crate) struct FleetKey {
    #[command(subcommand)]
    pub(crate) command: FleetKeyCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FleetKeyCommand {
    /// Make a pair of keys: the public half goes to the fleet, the private half to a new file
    ///
    /// Services that have the hash key of the fleet (`fleet.hash_key`) seal secrets so that only the private half opens them. A
    /// second key takes the place of the first for processes that start from then on; what was sealed before needs the first.
    /// Removing a private key makes the secrets that were sealed for it unreadable for ever.
    New(NewFleetKey),
    /// List the keys of the fleet, and how many processes have sealed secrets for each
    List,
    /// Read a wrapped key from standard input, and print the key
    ///
    /// The private key may lie on another machine: ZERVER_FLEET_UNWRAP_COMMAND='ssh keys zerver fleet key unwrap fleet.key'
    Unwrap(UnwrapKey),
}

#[derive(Debug, Args)]
pub(crate) struct NewFleetKey {
    /// File for the private half, which must not exist
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// File with the hash key of the services, which is made with the first key
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) hash_key: PathBuf,
    /// Replace the hash key that the fleet has. Services need the new one
    #[arg(long)]
    pub(crate) new_hash_key: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UnwrapKey {
    /// File with the private half
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct FleetArchive {
    /// Bucket, such as s3://bucket/prefix?ns=shop_prod, that `zerver fleet init` has prepared
    #[arg(value_name = "URL")]
    pub(crate) to: String,
    /// Age of the days that are moved, in whole days
    #[arg(long, value_name = "DURATION", default_value = "7d")]
    pub(crate) older_than: HumanDuration,
}

#[derive(Debug, Args)]
pub(crate) struct FleetCompact {
    /// Time after the end of an hour when it is packed
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    pub(crate) settle: HumanDuration,
    /// Time for which objects stay after they were packed, for readers that have listed them
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    pub(crate) grace: HumanDuration,
}

#[derive(Debug, Args)]
pub(crate) struct FleetInit {
    /// Number of days for which requests are kept [default: 30]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) keep_days: Option<u32>,
}
