//! A message's headers, whatever bytes their names are made of.
//!
//! The safe API panics on a header name that is not UTF-8, and a producer can
//! send one.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::ptr;

use rdkafka::bindings as sys;
use rdkafka::message::BorrowedMessage;

/// Copies the headers. Bytes of a name that are not UTF-8 become U+FFFD, by
/// which the decoder knows to reject the message.
pub(super) fn headers(message: &BorrowedMessage<'_>) -> Vec<(String, Option<Vec<u8>>)> {
    let mut all = Vec::new();
    // SAFETY: `message.ptr()` is a live message for as long as `message` is
    // borrowed; names and values point into it and are copied before this
    // returns; a value's length comes with it.
    unsafe {
        let mut list = ptr::null_mut();
        if sys::rd_kafka_message_headers(message.ptr(), &mut list)
            != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
            || list.is_null()
        {
            return all;
        }
        let count = sys::rd_kafka_header_cnt(list);
        all.reserve(count);
        for index in 0..count {
            let mut name = ptr::null();
            let mut value = ptr::null();
            let mut length = 0;
            if sys::rd_kafka_header_get_all(list, index, &mut name, &mut value, &mut length)
                != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
                || name.is_null()
            {
                break;
            }
            let value = (!value.is_null())
                .then(|| std::slice::from_raw_parts(value.cast::<u8>(), length).to_vec());
            all.push((CStr::from_ptr(name).to_string_lossy().into_owned(), value));
        }
    }
    all
}
