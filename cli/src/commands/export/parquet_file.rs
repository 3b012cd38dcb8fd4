//! Summaries of requests as a Parquet file, for tools that read tables: a column for each field, and no content of requests.

use std::sync::Arc;

use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use zerver_trace::Summary;

/// Number of requests that are read together.
const GROUP: usize = 100_000;

/// The columns, in the order in which [`write_group`] writes them.
const SCHEMA: &str = "message requests {
    required binary id (STRING);
    required int64 started (TIMESTAMP(NANOS, true));
    required binary flow (STRING);
    required binary method (STRING);
    required binary path (STRING);
    required binary host (STRING);
    required int32 status;
    required binary outcome (STRING);
    required boolean failed;
    required binary class (STRING);
    required double duration_ms;
    optional int32 worker;
}";

/// Returns the file, with the requests in this order.
pub(super) fn parquet(requests: &[Summary]) -> Result<Vec<u8>> {
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let properties = Arc::new(WriterProperties::builder().build());
    let mut file = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut file, schema, properties)?;
    for group in requests.chunks(GROUP) {
        let mut columns = writer.next_row_group()?;
        write_group(group, &mut columns)?;
        columns.close()?;
    }
    writer.close()?;
    Ok(file)
}

fn write_group(requests: &[Summary], columns: &mut SerializedRowGroupWriter<'_, &mut Vec<u8>>) -> Result<()> {
    let mut put = |column: Column| {
        let mut writer = columns.next_column()?.ok_or(ParquetError::EOF("a column too many".to_owned()))?;
        match column {
            Column::Text(values) => writer.typed::<ByteArrayType>().write_batch(&values, None, None)?,
            Column::Time(values) => writer.typed::<Int64Type>().write_batch(&values, None, None)?,
            Column::Number(values) => writer.typed::<Int32Type>().write_batch(&values, None, None)?,
            Column::Flag(values) => writer.typed::<BoolType>().write_batch(&values, None, None)?,
            Column::Fraction(values) => writer.typed::<DoubleType>().write_batch(&values, None, None)?,
            Column::Perhaps(values) => {
                let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
                let values: Vec<i32> = values.into_iter().flatten().collect();
                writer.typed::<Int32Type>().write_batch(&values, Some(&levels), None)?
            }
        };
        writer.close()
    };
    put(text(requests, |request| request.id.to_string().into_bytes()))?;
    put(Column::Time(of_each(requests, |request| {
        i64::try_from(request.started_unix_ns).unwrap_or(i64::MAX)
    })))?;
    put(text(requests, |request| request.flow.as_str()))?;
    put(text(requests, |request| request.method.as_str()))?;
    put(text(requests, |request| request.path.as_str()))?;
    put(text(requests, |request| request.authority.as_str()))?;
    put(Column::Number(of_each(requests, |request| i32::from(request.status))))?;
    put(text(requests, |request| request.outcome.as_str()))?;
    put(Column::Flag(of_each(requests, |request| request.is_failed)))?;
    put(text(requests, |request| request.class.as_str()))?;
    put(Column::Fraction(of_each(requests, |request| request.duration_ns as f64 / 1e6)))?;
    put(Column::Perhaps(of_each(requests, |request| request.worker.map(i32::from))))
}

/// Values of a column.
enum Column {
    Text(Vec<ByteArray>),
    Time(Vec<i64>),
    Number(Vec<i32>),
    Flag(Vec<bool>),
    Fraction(Vec<f64>),
    Perhaps(Vec<Option<i32>>),
}

fn text<'r, T>(requests: &'r [Summary], of: impl Fn(&'r Summary) -> T) -> Column
where
    ByteArray: From<T>,
{
    Column::Text(of_each(requests, |request| ByteArray::from(of(request))))
}

fn of_each<'r, T>(requests: &'r [Summary], of: impl Fn(&'r Summary) -> T) -> Vec<T> {
    requests.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use parquet::record::RowAccessor as _;
    use zerver_testkit::sample;

    use super::*;

    #[test]
    fn a_file_has_a_row_for_each_request() {
        let mut requests = vec![sample::slow().summary(), sample::slow().summary()];
        requests[1].worker = Some(3);
        requests[1].status = 503;
        requests[1].is_failed = true;
        let open = |requests: &[Summary]| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&parquet(requests).unwrap()).unwrap();
            SerializedFileReader::new(file).unwrap()
        };
        let reader = open(&requests);
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 2);
        for (row, request) in rows.iter().zip(&requests) {
            let texts = [0, 2, 4, 7].map(|at| row.get_string(at).unwrap().clone());
            assert_eq!(
                texts,
                [request.id.to_string(), request.flow.clone(), request.path.clone(), request.outcome.clone()]
            );
            assert_eq!(row.get_long(1).unwrap(), request.started_unix_ns as i64);
            assert_eq!(row.get_int(6).unwrap(), i32::from(request.status));
            assert_eq!(row.get_bool(8).unwrap(), request.is_failed);
            assert_eq!(row.get_double(10).unwrap(), request.duration_ns as f64 / 1e6);
            assert_eq!(row.get_int(11).ok(), request.worker.map(i32::from));
        }
        assert_eq!(open(&[]).get_row_iter(None).unwrap().count(), 0);
    }
}
