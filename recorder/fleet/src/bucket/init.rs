//! Creates a namespace in a bucket: its settings.

use crate::bucket::bucket_url::BucketUrl;
use crate::bucket::format::records::{self, Settings};
use crate::bucket::object_store::ObjectStore;
use crate::bucket::{SETTINGS, VERSION};
use crate::fleet_error::FleetError;
use crate::fleet_init::{InitOptions, InitOutcome};

/// Number of days for which blocks stay, unless another is set.
const KEEP_DAYS: u32 = 30;

/// Writes the settings of a namespace.
pub(crate) fn init(url: &BucketUrl, options: InitOptions) -> Result<InitOutcome, FleetError> {
    let store = ObjectStore::new(url)?;
    let found = find_settings(&store)?;
    let keep_days = options.keep_days.or(found.map(|found| found.keep_days)).unwrap_or(KEEP_DAYS);
    let settings = Settings { version: VERSION, keep_days };
    if found != Some(settings) {
        store.put(SETTINGS, records::write(&settings), false)?;
    }
    Ok(InitOutcome { is_new: found.is_none(), keep_days, has_roles: false })
}

/// Returns the version of a namespace, of which there is only one yet.
pub(crate) fn upgrade(url: &BucketUrl) -> Result<i32, FleetError> {
    settings(&ObjectStore::new(url)?).map(|settings| settings.version)
}

/// Reads the settings of a namespace, which must be there.
pub(crate) fn settings(store: &ObjectStore) -> Result<Settings, FleetError> {
    let url = &store.url;
    if let Some(found) = find_settings(store)? {
        return Ok(found);
    }
    // Some servers say of each object in a bucket that is not there that the object is not.
    store.list(SETTINGS, None)?;
    Err(FleetError::lasting(
        format!("the namespace {} is not there", url.namespace()),
        format!("run `zerver fleet init --store '{url}'` once"),
    ))
}

fn find_settings(store: &ObjectStore) -> Result<Option<Settings>, FleetError> {
    let url = &store.url;
    let Some(content) = store.get(SETTINGS)? else { return Ok(None) };
    let found: Settings = serde_json::from_slice(&content).map_err(|_| {
        FleetError::lasting(
            format!("the object {}{SETTINGS} is not what zerver wrote", url.prefix),
            format!("remove it, and run `zerver fleet init --store '{url}'`"),
        )
    })?;
    if found.version != VERSION {
        return Err(FleetError::version(url.namespace(), url, found.version, VERSION));
    }
    Ok(Some(found))
}
