//! A file that is changed in memory only.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

const PAGE: u64 = 4096;

#[derive(Debug)]
pub(crate) struct CopyOnWriteFile {
    file: File,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    len: u64,
    /// Length of the part of the file that is still visible. Truncation reduces it.
    file_len: u64,
    pages: HashMap<u64, Box<[u8]>>,
}

impl CopyOnWriteFile {
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self { file, state: Mutex::new(State { len, file_len: len, pages: HashMap::new() }) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn len(&self) -> u64 {
        self.state().len
    }

    pub(crate) fn set_len(&self, len: u64) {
        let mut state = self.state();
        state.pages.retain(|page, _| page * PAGE < len);
        if let Some(page) = state.pages.get_mut(&(len / PAGE)) {
            page[(len % PAGE) as usize..].fill(0);
        }
        (state.len, state.file_len) = (len, state.file_len.min(len));
    }

    pub(crate) fn read(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        if at.checked_add(out.len() as u64).is_none_or(|end| end > state.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut done = 0;
        while done < out.len() {
            let (page, from) = ((at + done as u64) / PAGE, ((at + done as u64) % PAGE) as usize);
            let here = (PAGE as usize - from).min(out.len() - done);
            match state.pages.get(&page) {
                Some(bytes) => out[done..done + here].copy_from_slice(&bytes[from..from + here]),
                None => out[done..done + here]
                    .copy_from_slice(&self.page(page, state.file_len)?[from..from + here]),
            }
            done += here;
        }
        Ok(())
    }

    pub(crate) fn write(&self, at: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let end = at.checked_add(data.len() as u64).ok_or(io::ErrorKind::InvalidInput)?;
        let mut done = 0;
        while done < data.len() {
            let (page, from) = ((at + done as u64) / PAGE, ((at + done as u64) % PAGE) as usize);
            let here = (PAGE as usize - from).min(data.len() - done);
            if !state.pages.contains_key(&page) {
                let bytes = self.page(page, state.file_len)?;
                state.pages.insert(page, bytes);
            }
            if let Some(bytes) = state.pages.get_mut(&page) {
                bytes[from..from + here].copy_from_slice(&data[done..done + here]);
            }
            done += here;
        }
        state.len = state.len.max(end);
        Ok(())
    }

    /// Reads a page of the file, padded with zeros.
    fn page(&self, page: u64, file_len: u64) -> io::Result<Box<[u8]>> {
        let mut bytes = vec![0; PAGE as usize].into_boxed_slice();
        let len = file_len.saturating_sub(page * PAGE).min(PAGE) as usize;
        self.file.read_exact_at(&mut bytes[..len], page * PAGE)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_behaves_like_a_file_that_is_written_to(
            start in 0u64..20_000,
            changes in prop::collection::vec((any::<bool>(), 0u64..20_000, 1usize..9_000), 0..12),
        ) {
            let file = tempfile::tempfile().unwrap();
            let content: Vec<u8> = (0..start).map(|n| n as u8 | 1).collect();
            file.write_all_at(&content, 0).unwrap();
            let overlay = CopyOnWriteFile::new(file.try_clone().unwrap()).unwrap();
            let mut wanted = content.clone();
            for (n, (is_write, at, len)) in changes.into_iter().enumerate() {
                if is_write {
                    let data = vec![n as u8 + 100; len];
                    overlay.write(at, &data).unwrap();
                    let end = at as usize + len;
                    wanted.resize(wanted.len().max(end), 0);
                    wanted[at as usize..end].copy_from_slice(&data);
                } else {
                    overlay.set_len(at);
                    wanted.resize(at as usize, 0);
                }
                let mut got = vec![0; wanted.len()];
                overlay.read(0, &mut got).unwrap();
                prop_assert!(got == wanted);
                prop_assert!(overlay.len() == wanted.len() as u64);
                prop_assert!(overlay.read(1, &mut got).is_err() || got.is_empty());
            }
            let mut after = vec![0; content.len()];
            file.read_exact_at(&mut after, 0).unwrap();
            prop_assert!(after == content);
        }
    }
}
