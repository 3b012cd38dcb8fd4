//! A block that is read as far as it is asked for, and its traces.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use zerver_trace::{
    EventSubject, FlowInfo, Header, PlacedValue, Recorded, RecordedBody, SourceError, Summary, Tally, Trace,
    TraceView, ValuePlace, test_subjects,
};

use crate::backend::store_identity::NodeId;
use crate::block::block_body::BlockBody;
use crate::block::stored_trace::PieceId;
use crate::block::trace_outline::OutlineShape;
use crate::format::FormatError;
use crate::read::read_error::ReadError;
use crate::read::store_view::StoreView;

/// A block of which the summaries have been read. Its body is read when it is first needed.
pub(crate) struct OpenBlock {
    view: Rc<StoreView>,
    at: u64,
    summaries: Vec<Summary>,
    body: OnceCell<Result<BlockBody<'static>, ReadError>>,
    search: RefCell<BlockSearch>,
}

/// Results of earlier tests of the traces of a block.
#[derive(Default)]
struct BlockSearch {
    shapes: BTreeMap<PieceId, Rc<OutlineShape>>,
    /// Results of each test, by piece.
    values: BTreeMap<usize, Vec<TestResult>>,
    /// Results of tests of events, by test and shape.
    events: BTreeMap<(usize, PieceId), Tally>,
    /// The trace that was read last.
    outline: Option<TraceOutline>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TestResult {
    Untested,
    Tested(Option<bool>),
}

/// A trace as far as tests need it.
struct TraceOutline {
    position: usize,
    shape_piece: PieceId,
    shape: Rc<OutlineShape>,
    pieces: Vec<PieceId>,
}

impl OpenBlock {
    /// Opens the first `count` traces of a block.
    pub(crate) fn new(view: Rc<StoreView>, at: u64, count: u32) -> Result<Self, ReadError> {
        let summaries = view.first_summaries(at, count)?;
        Ok(Self { view, at, summaries, body: OnceCell::new(), search: RefCell::default() })
    }

    pub(crate) fn summaries(&self) -> &[Summary] {
        &self.summaries
    }

    pub(crate) const fn trace_at(&self, position: usize) -> BlockTrace<'_> {
        BlockTrace { block: self, position }
    }

    fn body(&self) -> Result<&BlockBody<'static>, ReadError> {
        self.body.get_or_init(|| self.view.body(self.at)).as_ref().map_err(repeat)
    }

    fn damaged(&self, error: &FormatError) -> ReadError {
        self.view.block_error(self.at, error)
    }
}

/// Returns an error that occurred before once more.
fn repeat(error: &ReadError) -> ReadError {
    match error {
        ReadError::Missing { path } => ReadError::Missing { path: path.clone() },
        ReadError::Unreadable { path, source } => {
            ReadError::Unreadable { path: path.clone(), source: source.clone() }
        }
        ReadError::NeedsRepair { path } => ReadError::NeedsRepair { path: path.clone() },
        ReadError::Damaged { path, reason } => {
            ReadError::Damaged { path: path.clone(), reason: reason.clone() }
        }
        ReadError::Io { path, source } => {
            ReadError::Io { path: path.clone(), source: io::Error::new(source.kind(), source.to_string()) }
        }
        ReadError::Altered { place, block, reason } => {
            ReadError::Altered { place: place.clone(), block: block.clone(), reason: reason.clone() }
        }
        ReadError::Fleet { place, reason, hint } => {
            ReadError::Fleet { place: place.clone(), reason: reason.clone(), hint: hint.clone() }
        }
    }
}

impl BlockSearch {
    /// Reads the trace at a position, unless it was the last one that was read.
    fn outline(
        &mut self,
        body: &BlockBody<'_>,
        summary: &Summary,
        position: usize,
    ) -> Result<(), FormatError> {
        if self.outline.as_ref().is_some_and(|outline| outline.position == position) {
            return Ok(());
        }
        let mut pieces = self.outline.take().map(|last| last.pieces).unwrap_or_default();
        let encoded = body.encoded(position)?;
        let shape_piece = encoded.shape;
        let shape = match self.shapes.get(&shape_piece) {
            Some(shape) => Rc::clone(shape),
            None => {
                let shape = Rc::new(OutlineShape::new(body.piece(shape_piece)?));
                self.shapes.insert(shape_piece, Rc::clone(&shape));
                shape
            }
        };
        if shape.read(&encoded, &mut pieces)? != summary.id {
            return Err(FormatError::Misplaced);
        }
        self.outline = Some(TraceOutline { position, shape_piece, shape, pieces });
        Ok(())
    }

    fn test_values(
        &mut self,
        body: &BlockBody<'_>,
        place: ValuePlace,
        number: usize,
        test: &dyn Fn(PlacedValue<'_>) -> Option<bool>,
    ) -> Result<Tally, FormatError> {
        let mut tally = Tally::default();
        let Some(outline) = &self.outline else { return Ok(tally) };
        let pieces = outline.pieces.get(outline.shape.pieces_at(place)).unwrap_or_default();
        if pieces.is_empty() {
            return Ok(tally);
        }
        let results =
            self.values.entry(number).or_insert_with(|| vec![TestResult::Untested; body.piece_count()]);
        for &piece in pieces {
            let known = results.get(piece as usize).copied().unwrap_or(TestResult::Untested);
            let result = match known {
                TestResult::Tested(result) => result,
                TestResult::Untested => test_piece(body, place, piece, test)?,
            };
            if let Some(known) = results.get_mut(piece as usize) {
                *known = TestResult::Tested(result);
            }
            tally.count(result);
        }
        Ok(tally)
    }

    fn test_events(&mut self, number: usize, test: &dyn Fn(EventSubject<'_>) -> Option<bool>) -> Tally {
        let Some(outline) = &self.outline else { return Tally::default() };
        let tested = self.events.entry((number, outline.shape_piece));
        *tested.or_insert_with(|| test_subjects(&outline.shape.events, test))
    }
}

/// Decodes a piece, whose type depends on its place, and tests it.
fn test_piece(
    body: &BlockBody<'_>,
    place: ValuePlace,
    piece: PieceId,
    test: &dyn Fn(PlacedValue<'_>) -> Option<bool>,
) -> Result<Option<bool>, FormatError> {
    Ok(match place {
        ValuePlace::Build | ValuePlace::Peer => test(PlacedValue::Text(&body.piece::<String>(piece)?)),
        ValuePlace::Target | ValuePlace::Slot(_) => test(PlacedValue::Value(&body.piece::<Recorded>(piece)?)),
        ValuePlace::RequestHeaders | ValuePlace::ResponseHeaders => {
            test(PlacedValue::Header(&body.piece::<Header<Recorded>>(piece)?))
        }
        ValuePlace::RequestBody | ValuePlace::ResponseBody => {
            test(PlacedValue::Body(&body.piece::<RecordedBody>(piece)?))
        }
    })
}

/// A trace of the store, which is read as far as it is asked for.
pub struct BlockTrace<'b> {
    block: &'b OpenBlock,
    position: usize,
}

impl std::fmt::Debug for BlockTrace<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockTrace").field("block", &self.block.at).field("position", &self.position).finish()
    }
}

impl BlockTrace<'_> {
    pub(super) fn summary(&self) -> &Summary {
        &self.block.summaries[self.position]
    }

    /// Returns the position of the block, and that of the trace in it.
    pub(super) fn place(&self) -> (u64, usize) {
        (self.block.at, self.position)
    }

    /// Returns the node that recorded the request, if the source has several.
    pub fn node(&self) -> Option<NodeId> {
        self.block.view.blocks.node(self.block.at)
    }

    /// Loads the whole trace.
    ///
    /// # Errors
    /// If its block is damaged.
    pub fn load(&self) -> Result<Trace, ReadError> {
        let trace = self.block.body()?.trace(self.position);
        let trace = trace.and_then(|trace| match trace.id == self.summary().id {
            true => Ok(trace),
            false => Err(FormatError::Misplaced),
        });
        trace.map_err(|error| self.block.damaged(&error))
    }

    /// Calls `f` with what is known about the block, and the body, after the outline of this trace has been read.
    fn with_outline<T>(
        &self,
        f: impl FnOnce(&mut BlockSearch, &BlockBody<'_>) -> Result<T, FormatError>,
    ) -> Result<T, ReadError> {
        let body = self.block.body()?;
        let mut search = self.block.search.take();
        let outline = search.outline(body, self.summary(), self.position);
        let result = outline.and_then(|()| f(&mut search, body));
        self.block.search.replace(search);
        result.map_err(|error| self.block.damaged(&error))
    }
}

impl TraceView for BlockTrace<'_> {
    fn summary(&self) -> Cow<'_, Summary> {
        Cow::Borrowed(self.summary())
    }

    fn flow(&self) -> Result<&FlowInfo, SourceError> {
        let number = self
            .with_outline(|search, _| Ok(search.outline.as_ref().map_or(0, |outline| outline.shape.flow)))?;
        let flow = self.block.body()?.flow(number);
        Ok(flow.map_err(|error| self.block.damaged(&error))?)
    }

    fn test_values(
        &self,
        place: ValuePlace,
        number: usize,
        test: &dyn Fn(PlacedValue<'_>) -> Option<bool>,
    ) -> Result<Tally, SourceError> {
        Ok(self.with_outline(|search, body| search.test_values(body, place, number, test))?)
    }

    fn test_events(
        &self,
        number: usize,
        test: &dyn Fn(EventSubject<'_>) -> Option<bool>,
    ) -> Result<Tally, SourceError> {
        Ok(self.with_outline(|search, _| Ok(search.test_events(number, test)))?)
    }

    fn trace(&self) -> Result<Cow<'_, Trace>, SourceError> {
        Ok(Cow::Owned(self.load()?))
    }
}
