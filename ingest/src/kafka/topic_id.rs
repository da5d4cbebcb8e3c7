//! A topic's id, by librdkafka's `DescribeTopics`, which the safe API lacks.
//!
//! A topic that was deleted and made again has the old name and a new id; the
//! id tells them apart (KIP-516).

#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::client::{Client, ClientContext};

/// The ids of these topics, as base64 text, or `None` where the broker is older
/// than topic ids. A topic that the broker has no answer for is left out: that
/// says nothing about it.
///
/// Blocks for `timeout` at most. `None` where the broker gave no answer or
/// cannot describe topics at all.
pub(crate) fn topic_ids<C: ClientContext>(
    client: &Client<C>,
    topics: &[String],
    timeout: Duration,
) -> Option<BTreeMap<String, Option<String>>> {
    let names: Vec<CString> = topics
        .iter()
        .filter_map(|topic| CString::new(topic.as_str()).ok())
        .collect();
    if names.is_empty() {
        return Some(BTreeMap::new());
    }
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    let mut error_text: [c_char; 256] = [0; 256];

    // SAFETY: `native_ptr` is valid for as long as `client` is borrowed. Every
    // object made here is destroyed below, in the reverse order, on every
    // path; the collection copies the names; the result's strings live as long
    // as the event, and are copied out before it is destroyed.
    unsafe {
        let handle = client.native_ptr();
        let queue = sys::rd_kafka_queue_new(handle);
        let options = sys::rd_kafka_AdminOptions_new(
            handle,
            sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
        );
        if !options.is_null() {
            // A refused timeout leaves the default, which also ends.
            let _ = sys::rd_kafka_AdminOptions_set_request_timeout(
                options,
                timeout_ms,
                error_text.as_mut_ptr(),
                error_text.len(),
            );
        }
        let collection =
            sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        sys::rd_kafka_DescribeTopics(handle, collection, options, queue);
        let event = sys::rd_kafka_queue_poll(queue, timeout_ms);
        let answer = if event.is_null() {
            None
        } else {
            let answer = read_event(event);
            sys::rd_kafka_event_destroy(event);
            answer
        };
        sys::rd_kafka_TopicCollection_destroy(collection);
        if !options.is_null() {
            sys::rd_kafka_AdminOptions_destroy(options);
        }
        sys::rd_kafka_queue_destroy(queue);
        answer
    }
}

/// Copies names and ids out of a `DescribeTopics` result.
///
/// # Safety
/// `event` is a live event of librdkafka.
unsafe fn read_event(
    event: *mut sys::rd_kafka_event_t,
) -> Option<BTreeMap<String, Option<String>>> {
    // SAFETY: the caller vouches for `event`; every pointer below comes from
    // it and is checked before use.
    unsafe {
        if sys::rd_kafka_event_error(event) != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
        {
            return None;
        }
        let result = sys::rd_kafka_event_DescribeTopics_result(event);
        if result.is_null() {
            return None;
        }
        let mut count = 0;
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        let mut ids = BTreeMap::new();
        for index in 0..count {
            let topic = *topics.add(index);
            let error = sys::rd_kafka_TopicDescription_error(topic);
            if !error.is_null()
                && sys::rd_kafka_error_code(error)
                    != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
            {
                continue;
            }
            let name = sys::rd_kafka_TopicDescription_name(topic);
            let id = sys::rd_kafka_TopicDescription_topic_id(topic);
            if name.is_null() || id.is_null() {
                continue;
            }
            let name = CStr::from_ptr(name).to_string_lossy().into_owned();
            // All zero: the broker is older than topic ids.
            let none = sys::rd_kafka_Uuid_most_significant_bits(id) == 0
                && sys::rd_kafka_Uuid_least_significant_bits(id) == 0;
            let text = sys::rd_kafka_Uuid_base64str(id);
            if none {
                ids.insert(name, None);
            } else if !text.is_null() {
                let id = CStr::from_ptr(text).to_string_lossy().into_owned();
                ids.insert(name, Some(id));
            }
        }
        Some(ids)
    }
}
