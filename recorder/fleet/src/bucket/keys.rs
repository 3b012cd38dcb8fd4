//! The keys of a namespace in a bucket. Their names say all but the keys themselves:
//! - `public-keys/<number>-<id>`: a public half, and the proof that goes with it,
//! - `keys/<id>-<public id>-<node>`: a data key, wrapped for the holder of the private half.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use zerver_recorder::NodeId;

use crate::bucket::bucket_url::BucketUrl;
use crate::bucket::init::settings;
use crate::bucket::object_store::{Listed, ObjectStore};
use crate::bucket::{DATA_KEYS, PUBLIC_KEYS};
use crate::fleet_error::FleetError;
use crate::keys::key_status::{FleetKeyStatus, KeyUses, OfferedKey};
use crate::keys::pair::{KeyId, PublicKey};

/// Name of an object with a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PublicKeyName {
    number: u64,
    id: KeyId,
}

impl PublicKeyName {
    fn key(&self) -> String {
        format!("{PUBLIC_KEYS}{:010}-{}", self.number, self.id)
    }

    pub(super) fn parse(key: &str) -> Option<Self> {
        let (number, id) = key.strip_prefix(PUBLIC_KEYS)?.split_once('-')?;
        let name = Self { number: number.parse().ok()?, id: id.parse().ok()? };
        (name.key() == key).then_some(name)
    }
}

/// Name of an object with a wrapped data key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DataKeyName {
    pub(crate) id: KeyId,
    pub(crate) public: KeyId,
    pub(crate) node: NodeId,
}

impl DataKeyName {
    pub(crate) fn key(&self) -> String {
        format!("{}{}-{}", Self::start(self.id), self.public, self.node)
    }

    /// Returns the start of the names of a data key.
    fn start(id: KeyId) -> String {
        format!("{DATA_KEYS}{id}-")
    }

    pub(super) fn parse(key: &str) -> Option<Self> {
        let mut parts = key.strip_prefix(DATA_KEYS)?.split('-');
        let name = Self {
            id: parts.next()?.parse().ok()?,
            public: parts.next()?.parse().ok()?,
            node: NodeId(u64::from_str_radix(parts.next()?, 16).ok()?),
        };
        (name.key() == key).then_some(name)
    }
}

/// Lists the public keys, the current one first.
pub(crate) fn keys(url: &BucketUrl) -> Result<Vec<FleetKeyStatus>, FleetError> {
    let store = ObjectStore::new(url)?;
    settings(&store)?;
    let listing = store.list(PUBLIC_KEYS, None)?;
    let public: Vec<_> = listing
        .objects
        .into_iter()
        .filter_map(|object| Some((PublicKeyName::parse(&object.key)?, object)))
        .collect();
    let data = store.list(DATA_KEYS, None)?.objects;
    let data: Vec<_> = data.iter().filter_map(|object| DataKeyName::parse(&object.key)).collect();
    Ok(statuses(&public, &data, |object| listing.now.duration_since(object.modified)))
}

pub(super) fn statuses(
    public: &[(PublicKeyName, Listed)],
    data: &[DataKeyName],
    age: impl Fn(&Listed) -> jiff::SignedDuration,
) -> Vec<FleetKeyStatus> {
    let mut uses: BTreeMap<KeyId, KeyUses> = BTreeMap::new();
    for name in data {
        let of_key = uses.entry(name.public).or_default();
        of_key.data_keys += 1;
        of_key.nodes.insert(name.node);
    }
    let mut public: Vec<_> = public.iter().collect();
    public.sort_by_key(|(name, _)| std::cmp::Reverse(name.key()));
    let status = |(at, (name, object)): (usize, &&(PublicKeyName, Listed))| {
        let uses = uses.get(&name.id);
        FleetKeyStatus {
            id: name.id,
            age: Duration::try_from(age(object)).unwrap_or_default(),
            data_keys: uses.map_or(0, |uses| uses.data_keys),
            nodes: uses.map_or(0, |uses| uses.nodes.len() as u64),
            is_current: at == 0,
        }
    };
    public.iter().enumerate().map(status).collect()
}

/// Returns the public key that was added last.
pub(crate) fn current_key(url: &BucketUrl) -> Result<Option<OfferedKey>, FleetError> {
    let store = ObjectStore::new(url)?;
    settings(&store)?;
    read_current_key(&store)
}

pub(super) fn read_current_key(store: &ObjectStore) -> Result<Option<OfferedKey>, FleetError> {
    let Some(name) = newest(store)? else { return Ok(None) };
    let Some(content) = store.get(&name.key())? else { return Ok(None) };
    let offered = content.split_at_checked(32).and_then(|(public, proof)| {
        let public = PublicKey::new(public).filter(|public| public.id() == name.id)?;
        Some(OfferedKey { public, proof: proof.try_into().ok()? })
    });
    offered.map(Some).ok_or_else(|| {
        FleetError::lasting(
            format!("the object {}{} is not a public key", store.url.prefix, name.key()),
            "remove it; `zerver fleet key new` adds another",
        )
    })
}

fn newest(store: &ObjectStore) -> Result<Option<PublicKeyName>, FleetError> {
    // Keys are listed in their order.
    let objects = store.list(PUBLIC_KEYS, None)?.objects;
    Ok(objects.iter().filter_map(|object| PublicKeyName::parse(&object.key)).max_by_key(PublicKeyName::key))
}

/// Adds a public key, which is the current one from then on.
pub(crate) fn offer_key(url: &BucketUrl, key: &OfferedKey) -> Result<(), FleetError> {
    let store = ObjectStore::new(url)?;
    let number = newest(&store)?.map_or(0, |newest| newest.number + 1);
    put_public(&store, number, key)
}

fn put_public(store: &ObjectStore, number: u64, key: &OfferedKey) -> Result<(), FleetError> {
    let name = PublicKeyName { number, id: key.public.id() };
    let content = [&key.public.bytes()[..], &key.proof].concat();
    store.put(&name.key(), Bytes::from(content), true).map(drop)
}

/// Adds public keys to those of an archive, in their order. One that is there stays.
pub(crate) fn copy_public(store: &ObjectStore, keys: &[OfferedKey]) -> Result<(), FleetError> {
    let there = store.list(PUBLIC_KEYS, None)?.objects;
    let there: Vec<_> = there.iter().filter_map(|object| PublicKeyName::parse(&object.key)).collect();
    let next = there.iter().map(|name| name.number + 1).max().unwrap_or(0);
    let missing = keys.iter().filter(|key| there.iter().all(|name| name.id != key.public.id()));
    (next..).zip(missing).try_for_each(|(number, key)| put_public(store, number, key))
}

/// Adds a wrapped data key, unless it is there, for whichever public key.
pub(crate) fn put_data_key(store: &ObjectStore, name: DataKeyName, wrapped: &[u8]) -> Result<(), FleetError> {
    if find(store, name.id)?.is_none() {
        store.put(&name.key(), Bytes::copy_from_slice(wrapped), true)?;
    }
    Ok(())
}

/// Reads a wrapped data key.
pub(super) fn wrapped_key(store: &ObjectStore, id: KeyId) -> Result<Option<Bytes>, FleetError> {
    match find(store, id)? {
        Some(name) => store.get(&name.key()),
        None => Ok(None),
    }
}

fn find(store: &ObjectStore, id: KeyId) -> Result<Option<DataKeyName>, FleetError> {
    let objects = store.list(&DataKeyName::start(id), None)?.objects;
    Ok(objects.iter().find_map(|object| DataKeyName::parse(&object.key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_are_not() {
        let public = PublicKeyName { number: 7, id: KeyId([1; 8]) };
        assert_eq!(public.key(), "public-keys/0000000007-0101010101010101");
        assert_eq!(PublicKeyName::parse(&public.key()), Some(public));
        let data = DataKeyName { id: KeyId([2; 8]), public: KeyId([3; 8]), node: NodeId(9) };
        assert_eq!(data.key(), "keys/0202020202020202-0303030303030303-0000000000000009");
        assert_eq!(DataKeyName::parse(&data.key()), Some(data));
        for other in [
            "keys/",
            "keys/02-03-04",
            "keys/0202020202020202-0303030303030303",
            "public-keys/7-0101010101010101",
        ] {
            assert!(DataKeyName::parse(other).is_none() && PublicKeyName::parse(other).is_none(), "{other}");
        }
    }
}
