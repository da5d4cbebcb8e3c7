//! Answers whose rows are written as they go over the wire while they are read,
//! instead of being put together as messages first.

use prost::bytes::{Buf, BufMut};
use prost::encoding::{DecodeContext, WireType};
use prost::{DecodeError, Message};

use super::error::QueryError;

/// A response message `M` whose rows, field 1, are in bytes.
#[derive(Clone, Debug, Default)]
pub struct InBytes<M> {
    /// The rows, each with its key and length.
    pub(crate) rows: Vec<u8>,
    /// How many.
    pub(crate) count: usize,
    /// Everything but the rows.
    pub(crate) rest: M,
}

impl<M: Message + Default> InBytes<M> {
    /// The same as a message, with its rows in it.
    pub(crate) fn into_message(self) -> Result<M, QueryError> {
        let mut message = self.rest;
        // What has just been written: were it not to be read, it could not be
        // read by anybody either.
        let read = message.merge(self.rows.as_slice());
        read.map_err(|_| QueryError::Interrupted)?;
        Ok(message)
    }
}

/// Written as `M`; whatever is read is read as `M`.
impl<M: Message + Default> Message for InBytes<M> {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        buffer.put_slice(&self.rows);
        self.rest.encode_raw(buffer);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buffer: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        self.rest.merge_field(tag, wire_type, buffer, context)
    }

    fn encoded_len(&self) -> usize {
        self.rows.len() + self.rest.encoded_len()
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}
