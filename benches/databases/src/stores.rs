//! What is compared: each a map from keys to 100 bytes, with a durable commit for each change.

use crate::key::{Key, VALUE};
use heed::types::Bytes;
use indelible::collections::{BTreeMap, HashMap};
use indelible::medium::Emulated;
use indelible::{Committed, Persistent, Region, Result, Tx};
use rand::rngs::StdRng;
use rand::{SeedableRng, seq::SliceRandom};
use std::path::Path;

pub type Value = [u8; VALUE];

/// A map whose changes are durable one by one.
pub trait Store<K: Key> {
    /// In ascending order, in as few commits as it likes; the store is empty.
    fn load(&mut self, entries: &[(K, Value)]);
    /// The first byte of the value, so that it is read.
    fn get(&self, key: &K) -> Option<u8>;
    /// One durable commit.
    fn put(&mut self, key: &K, value: &Value);
    /// The sum of the first bytes of the values of so many entries from a key on; none if it has no order.
    fn scan(&self, key: &K, count: usize) -> Option<u64>;
}

/// How a tree gets its first entries.
#[derive(Clone, Copy)]
pub enum Load {
    Rebuild,
    /// By inserts in an order that is not that of the keys.
    Shuffled,
}

pub struct Tree<K: Key>(Region<BTreeMap<K, Value>, Emulated>, Load);

impl<K: Key> Tree<K> {
    pub fn new(load: Load) -> Self {
        Tree(Region::new(64 << 20, BTreeMap::new()).unwrap(), load)
    }
}

/// Inserts these entries, a hundred in a transaction.
fn in_hundreds<R: Persistent, E>(
    region: &mut Region<R, Emulated>,
    entries: &[E],
    insert: impl for<'t> Fn(&Tx<'t, Emulated>, &'t R, &E) -> Result<()>,
) {
    for entries in entries.chunks(100) {
        region.transact(|tx, map| entries.iter().try_for_each(|entry| insert(tx, map, entry))).unwrap();
    }
}

impl<K: Key> Store<K> for Tree<K> {
    fn load(&mut self, entries: &[(K, Value)]) {
        match self.1 {
            Load::Rebuild => {
                let entries = entries.iter().map(|(key, value)| (key, value));
                self.0.transact(|tx, map| map.rebuild(tx, entries)).unwrap();
            }
            Load::Shuffled => {
                let mut entries: Vec<&(K, Value)> = entries.iter().collect();
                entries.shuffle(&mut StdRng::seed_from_u64(2));
                in_hundreds(&mut self.0, &entries, |tx, map, (key, value)| {
                    map.insert(tx, key, value).map(drop)
                });
            }
        }
    }
    fn get(&self, key: &K) -> Option<u8> {
        self.0.root().get(&Committed, key).map(|value| value[0])
    }
    fn put(&mut self, key: &K, value: &Value) {
        self.0.transact(|tx, map| map.insert(tx, key, value).map(drop)).unwrap();
    }
    fn scan(&self, key: &K, count: usize) -> Option<u64> {
        let entries = self.0.root().range(&Committed, *key..);
        Some(entries.take(count).map(|(_, value)| u64::from(value[0])).sum())
    }
}

/// With values in blocks of their own.
pub struct Linked<K: Key>(Region<BTreeMap<K, [u8]>, Emulated>);

impl<K: Key> Linked<K> {
    pub fn new() -> Self {
        Linked(Region::new(64 << 20, BTreeMap::new()).unwrap())
    }
}

impl<K: Key> Store<K> for Linked<K> {
    fn load(&mut self, entries: &[(K, Value)]) {
        let entries = entries.iter().map(|(key, value)| (key, &value[..]));
        self.0.transact(|tx, map| map.rebuild(tx, entries)).unwrap();
    }
    fn get(&self, key: &K) -> Option<u8> {
        self.0.root().get(&Committed, key).map(|value| value[0])
    }
    fn put(&mut self, key: &K, value: &Value) {
        self.0.transact(|tx, map| map.insert(tx, key, value).map(drop)).unwrap();
    }
    fn scan(&self, key: &K, count: usize) -> Option<u64> {
        let entries = self.0.root().range(&Committed, *key..);
        Some(entries.take(count).map(|(_, value)| u64::from(value[0])).sum())
    }
}

pub struct Hash<K: Key>(Region<HashMap<K, Value>, Emulated>);

impl<K: Key> Hash<K> {
    pub fn new() -> Self {
        Hash(Region::new(64 << 20, HashMap::new()).unwrap())
    }
}

impl<K: Key> Store<K> for Hash<K> {
    fn load(&mut self, entries: &[(K, Value)]) {
        in_hundreds(&mut self.0, entries, |tx, map, (key, value)| map.insert(tx, key, value).map(drop));
    }
    fn get(&self, key: &K) -> Option<u8> {
        self.0.root().get(&Committed, key).map(|value| value[0])
    }
    fn put(&mut self, key: &K, value: &Value) {
        self.0.transact(|tx, map| map.insert(tx, key, value).map(drop)).unwrap();
    }
    fn scan(&self, _: &K, _: usize) -> Option<u64> {
        None
    }
}

const TABLE: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("map");

pub struct Redb(redb::Database);

impl Redb {
    pub fn new(folder: &Path) -> Self {
        let database = redb::Database::builder().set_cache_size(4 << 30).create(folder.join("redb")).unwrap();
        Redb(database)
    }
}

impl<K: Key> Store<K> for Redb {
    fn load(&mut self, entries: &[(K, Value)]) {
        let transaction = self.0.begin_write().unwrap();
        {
            let mut table = transaction.open_table(TABLE).unwrap();
            for (key, value) in entries {
                table.insert(key.bytes().as_ref(), &value[..]).unwrap();
            }
        }
        transaction.commit().unwrap();
    }
    fn get(&self, key: &K) -> Option<u8> {
        use redb::ReadableDatabase;
        let table = self.0.begin_read().unwrap().open_table(TABLE).unwrap();
        table.get(key.bytes().as_ref()).unwrap().map(|value| value.value()[0])
    }
    fn put(&mut self, key: &K, value: &Value) {
        let transaction = self.0.begin_write().unwrap(); // `Durability::Immediate`
        transaction.open_table(TABLE).unwrap().insert(key.bytes().as_ref(), &value[..]).unwrap();
        transaction.commit().unwrap();
    }
    fn scan(&self, key: &K, count: usize) -> Option<u64> {
        use redb::ReadableDatabase;
        let table = self.0.begin_read().unwrap().open_table(TABLE).unwrap();
        let entries = table.range(key.bytes().as_ref()..).unwrap();
        Some(entries.take(count).map(|entry| u64::from(entry.unwrap().1.value()[0])).sum())
    }
}

pub struct Lmdb {
    env: heed::Env,
    map: heed::Database<Bytes, Bytes>,
}

impl Lmdb {
    pub fn new(folder: &Path) -> Self {
        let folder = folder.join("lmdb");
        std::fs::create_dir(&folder).unwrap();
        // SAFETY: nothing else opens these files.
        let env = unsafe { heed::EnvOpenOptions::new().map_size(4 << 30).open(folder) }.unwrap();
        let mut transaction = env.write_txn().unwrap();
        let map = env.create_database(&mut transaction, None).unwrap();
        transaction.commit().unwrap();
        Lmdb { env, map }
    }
}

impl<K: Key> Store<K> for Lmdb {
    fn load(&mut self, entries: &[(K, Value)]) {
        let mut transaction = self.env.write_txn().unwrap();
        for (key, value) in entries {
            self.map.put(&mut transaction, key.bytes().as_ref(), value).unwrap();
        }
        transaction.commit().unwrap();
    }
    fn get(&self, key: &K) -> Option<u8> {
        let transaction = self.env.read_txn().unwrap();
        self.map.get(&transaction, key.bytes().as_ref()).unwrap().map(|value| value[0])
    }
    fn put(&mut self, key: &K, value: &Value) {
        let mut transaction = self.env.write_txn().unwrap();
        self.map.put(&mut transaction, key.bytes().as_ref(), value).unwrap();
        transaction.commit().unwrap();
    }
    fn scan(&self, key: &K, count: usize) -> Option<u64> {
        let transaction = self.env.read_txn().unwrap();
        let key = key.bytes();
        let from: (_, std::ops::Bound<&[u8]>) =
            (std::ops::Bound::Included(key.as_ref()), std::ops::Bound::Unbounded);
        let entries = self.map.range(&transaction, &from).unwrap();
        Some(entries.take(count).map(|entry| u64::from(entry.unwrap().1[0])).sum())
    }
}

pub struct Fjall {
    database: fjall::Database,
    map: fjall::Keyspace,
}

impl Fjall {
    pub fn new(folder: &Path) -> Self {
        let database = fjall::Database::builder(folder.join("fjall")).cache_size(1 << 30).open().unwrap();
        let map = database.keyspace("map", fjall::KeyspaceCreateOptions::default).unwrap();
        Fjall { database, map }
    }
}

impl<K: Key> Store<K> for Fjall {
    fn load(&mut self, entries: &[(K, Value)]) {
        for (key, value) in entries {
            self.map.insert(key.bytes().as_ref(), value).unwrap();
        }
        self.database.persist(fjall::PersistMode::SyncAll).unwrap();
    }
    fn get(&self, key: &K) -> Option<u8> {
        self.map.get(key.bytes().as_ref()).unwrap().map(|value| value[0])
    }
    fn put(&mut self, key: &K, value: &Value) {
        self.map.insert(key.bytes().as_ref(), value).unwrap();
        self.database.persist(fjall::PersistMode::SyncData).unwrap();
    }
    fn scan(&self, key: &K, count: usize) -> Option<u64> {
        let entries = self.map.range(key.bytes().as_ref().to_vec()..);
        Some(entries.take(count).map(|entry| u64::from(entry.value().unwrap()[0])).sum())
    }
}

/// In DRAM, and durable in no way.
pub struct StdTree<K>(std::collections::BTreeMap<K, Value>);

impl<K: Key> StdTree<K> {
    pub fn new() -> Self {
        StdTree(Default::default())
    }
}

impl<K: Key> Store<K> for StdTree<K> {
    fn load(&mut self, entries: &[(K, Value)]) {
        self.0 = entries.iter().copied().collect();
    }
    fn get(&self, key: &K) -> Option<u8> {
        self.0.get(key).map(|value| value[0])
    }
    fn put(&mut self, key: &K, value: &Value) {
        self.0.insert(*key, *value);
    }
    fn scan(&self, key: &K, count: usize) -> Option<u64> {
        Some(self.0.range(*key..).take(count).map(|(_, value)| u64::from(value[0])).sum())
    }
}

/// In DRAM, and durable in no way.
pub struct StdHash<K>(std::collections::HashMap<K, Value>);

impl<K: Key> StdHash<K> {
    pub fn new() -> Self {
        StdHash(Default::default())
    }
}

impl<K: Key> Store<K> for StdHash<K> {
    fn load(&mut self, entries: &[(K, Value)]) {
        self.0 = entries.iter().copied().collect();
    }
    fn get(&self, key: &K) -> Option<u8> {
        self.0.get(key).map(|value| value[0])
    }
    fn put(&mut self, key: &K, value: &Value) {
        self.0.insert(*key, *value);
    }
    fn scan(&self, _: &K, _: usize) -> Option<u64> {
        None
    }
}
