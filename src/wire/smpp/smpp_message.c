#include "wire/smpp/smpp_message.h"
#include "core/attribute.h"

#define DESTINATION_ADDRESS 1u
#define DESTINATION_LIST    2u

static enum err
fields_end(const struct smpp_fields *fields)
{
    return fields->has_failed ? ERR_SMPP_BODY : ERR_OK;
}

/* What is behind the mandatory fields. */
static struct slice
tlvs_take(struct smpp_fields *fields)
{
    if (!fields->has_failed && !smpp_tlvs_are_whole(fields->rest))
        fields->has_failed = true;
    return fields->has_failed ? SLICE_EMPTY : fields->rest;
}

static struct smpp_address
address_take(struct smpp_fields *fields)
{
    struct smpp_address address;

    address.ton = smpp_u8(fields);
    address.npi = smpp_u8(fields);
    address.digits = smpp_cstring(fields, SMPP_ADDRESS_READ);
    return address;
}

/* One field after the other; the first that cannot be written is the result. */
struct writer {
    struct buf *out;
    enum err err;
};

static void
text_add(struct writer *to, struct slice text, size_t bytes_max)
{
    if (to->err == ERR_OK)
        to->err = smpp_cstring_add(to->out, text, bytes_max);
}

static void
u8_add(struct writer *to, unsigned value)
{
    buf_add_byte(to->out, (char)value);
}

static void
address_add(struct writer *to, const struct smpp_address *address, size_t bytes_max)
{
    u8_add(to, address->ton);
    u8_add(to, address->npi);
    text_add(to, address->digits, bytes_max);
}

static void
tlvs_add(struct writer *to, struct slice tlvs)
{
    if (to->err == ERR_OK && !smpp_tlvs_are_whole(tlvs))
        to->err = ERR_ENCODING;
    buf_add(to->out, tlvs);
}

static enum err
writer_end(const struct writer *to)
{
    return to->err == ERR_OK ? buf_done(to->out) : to->err;
}

enum err
smpp_bind_read(struct slice body, struct smpp_bind *out)
{
    struct smpp_fields fields = { .rest = body };

    out->system_id = smpp_cstring(&fields, SMPP_SYSTEM_ID_BYTES);
    out->password = smpp_cstring(&fields, SMPP_PASSWORD_READ);
    out->system_type = smpp_cstring(&fields, SMPP_SYSTEM_TYPE_BYTES);
    out->interface_version = smpp_u8(&fields);
    out->range = address_take(&fields);
    return fields_end(&fields);
}

enum err
smpp_bind_add(struct buf *out, const struct smpp_bind *bind, size_t password_bytes)
{
    struct writer to = { .out = out };

    text_add(&to, bind->system_id, SMPP_SYSTEM_ID_BYTES);
    text_add(&to, bind->password, password_bytes);
    text_add(&to, bind->system_type, SMPP_SYSTEM_TYPE_BYTES);
    u8_add(&to, bind->interface_version);
    address_add(&to, &bind->range, SMPP_RANGE_BYTES);
    return writer_end(&to);
}

enum err
smpp_outbind_read(struct slice body, struct smpp_bind *out)
{
    struct smpp_fields fields = { .rest = body };

    *out = (struct smpp_bind){ .interface_version = 0 };
    out->system_id = smpp_cstring(&fields, SMPP_SYSTEM_ID_BYTES);
    out->password = smpp_cstring(&fields, SMPP_PASSWORD_READ);
    return fields_end(&fields);
}

enum err
smpp_outbind_add(struct buf *out, const struct smpp_bind *bind)
{
    struct writer to = { .out = out };

    text_add(&to, bind->system_id, SMPP_SYSTEM_ID_BYTES);
    text_add(&to, bind->password, SMPP_PASSWORD_BYTES);
    return writer_end(&to);
}

/* From esm_class to the text: the same in submit_sm, deliver_sm and submit_multi. */
static void
rest_take(struct smpp_fields *fields, struct smpp_message *out)
{
    out->esm_class = smpp_u8(fields);
    out->protocol_id = smpp_u8(fields);
    out->priority = smpp_u8(fields);
    out->schedule = smpp_cstring(fields, SMPP_TIME_BYTES);
    out->validity = smpp_cstring(fields, SMPP_TIME_BYTES);
    out->registered_delivery = smpp_u8(fields);
    out->replace_if_present = smpp_u8(fields);
    out->data_coding = smpp_u8(fields);
    out->default_message = smpp_u8(fields);
    size_t len = smpp_u8(fields);
    out->short_message = smpp_octets(fields, len);
    out->tlvs = tlvs_take(fields);
}

static void
rest_add(struct writer *to, const struct smpp_message *message)
{
    u8_add(to, message->esm_class);
    u8_add(to, message->protocol_id);
    u8_add(to, message->priority);
    text_add(to, message->schedule, SMPP_TIME_BYTES);
    text_add(to, message->validity, SMPP_TIME_BYTES);
    u8_add(to, message->registered_delivery);
    u8_add(to, message->replace_if_present);
    u8_add(to, message->data_coding);
    u8_add(to, message->default_message);
    if (to->err == ERR_OK && message->short_message.len > SMPP_SHORT_MESSAGE_MAX)
        to->err = ERR_LIMIT;
    u8_add(to, (unsigned)(message->short_message.len & 0xFF));
    buf_add(to->out, message->short_message);
    tlvs_add(to, message->tlvs);
}

enum err
smpp_message_read(uint32_t command, struct slice body, struct smpp_message *out)
{
    struct smpp_fields fields = { .rest = body };

    *out = (struct smpp_message){ .esm_class = 0 };
    out->service_type = smpp_cstring(&fields, SMPP_SERVICE_BYTES);
    out->source = address_take(&fields);
    out->destination = address_take(&fields);
    if (command == SMPP_DATA_SM) {
        out->esm_class = smpp_u8(&fields);
        out->registered_delivery = smpp_u8(&fields);
        out->data_coding = smpp_u8(&fields);
        out->tlvs = tlvs_take(&fields);
    } else {
        rest_take(&fields, out);
    }
    return fields_end(&fields);
}

enum err
smpp_message_add(struct buf *out, uint32_t command, const struct smpp_message *message)
{
    struct writer to = { .out = out };
    size_t address_bytes = command == SMPP_DATA_SM ? SMPP_ADDRESS_READ : SMPP_ADDRESS_BYTES;

    text_add(&to, message->service_type, SMPP_SERVICE_BYTES);
    address_add(&to, &message->source, address_bytes);
    address_add(&to, &message->destination, address_bytes);
    if (command == SMPP_DATA_SM) {
        u8_add(&to, message->esm_class);
        u8_add(&to, message->registered_delivery);
        u8_add(&to, message->data_coding);
        tlvs_add(&to, message->tlvs);
    } else {
        rest_add(&to, message);
    }
    return writer_end(&to);
}

struct slice
smpp_message_octets(const struct smpp_message *message)
{
    return message->short_message.len > 0 ? message->short_message
                                          : smpp_tlv_find(message->tlvs, SMPP_TLV_MESSAGE_PAYLOAD);
}

static void
destination_take(struct smpp_fields *fields, struct smpp_destination *out)
{
    unsigned flag = smpp_u8(fields);

    *out = (struct smpp_destination){ .is_list = flag == DESTINATION_LIST };
    if (flag == DESTINATION_ADDRESS)
        out->address = address_take(fields);
    else if (flag == DESTINATION_LIST)
        out->address.digits = smpp_cstring(fields, SMPP_ADDRESS_BYTES);
    else
        fields->has_failed = true;
}

enum err
smpp_multi_read(struct slice body, struct smpp_message *out, struct smpp_destination *destinations,
                size_t *count_out)
{
    struct smpp_fields fields = { .rest = body };

    *out = (struct smpp_message){ .esm_class = 0 };
    out->service_type = smpp_cstring(&fields, SMPP_SERVICE_BYTES);
    out->source = address_take(&fields);
    size_t count = smpp_u8(&fields);
    if (count == 0 || count > SMPP_DESTINATIONS_MAX)
        return ERR_SMPP_BODY;
    for (size_t i = 0; i < count; i++)
        destination_take(&fields, &destinations[i]);
    rest_take(&fields, out);
    *count_out = count;
    return fields_end(&fields);
}

enum err
smpp_multi_add(struct buf *out, const struct smpp_message *message,
               const struct smpp_destination *destinations, size_t count)
{
    struct writer to = { .out = out,
                         .err = count == 0 || count > SMPP_DESTINATIONS_MAX ? ERR_LIMIT : ERR_OK };

    text_add(&to, message->service_type, SMPP_SERVICE_BYTES);
    address_add(&to, &message->source, SMPP_ADDRESS_BYTES);
    u8_add(&to, (unsigned)count);
    for (size_t i = 0; to.err == ERR_OK && i < count; i++) {
        const struct smpp_destination *destination = &destinations[i];
        u8_add(&to, destination->is_list ? DESTINATION_LIST : DESTINATION_ADDRESS);
        if (destination->is_list)
            text_add(&to, destination->address.digits, SMPP_ADDRESS_BYTES);
        else
            address_add(&to, &destination->address, SMPP_ADDRESS_BYTES);
    }
    rest_add(&to, message);
    return writer_end(&to);
}

static bool
is_bind(uint32_t command)
{
    uint32_t request = command & ~SMPP_RESPONSE;

    return request == SMPP_BIND_RECEIVER || request == SMPP_BIND_TRANSMITTER ||
           request == SMPP_BIND_TRANSCEIVER;
}

enum err
smpp_answer_read(uint32_t command, struct slice body, struct smpp_answer *out)
{
    struct smpp_fields fields = { .rest = body };

    *out = (struct smpp_answer){ .name = SLICE_EMPTY };
    if (body.len == 0)
        return ERR_OK;
    out->name = smpp_cstring(&fields, is_bind(command) ? SMPP_SYSTEM_ID_BYTES : SMPP_MESSAGE_ID_BYTES);
    if (!fields.has_failed && smpp_tlvs_are_whole(fields.rest))
        out->tlvs = fields.rest;
    return fields_end(&fields);
}

enum err
smpp_answer_add(struct buf *out, uint32_t command, const struct smpp_answer *answer)
{
    struct writer to = { .out = out };

    text_add(&to, answer->name, is_bind(command) ? SMPP_SYSTEM_ID_BYTES : SMPP_MESSAGE_ID_BYTES);
    tlvs_add(&to, answer->tlvs);
    return writer_end(&to);
}

enum err
smpp_multi_answer_read(struct slice body, struct slice *message_id_out, struct smpp_unsuccess *failed,
                       size_t *count_out)
{
    struct smpp_fields fields = { .rest = body };

    *message_id_out = SLICE_EMPTY;
    *count_out = 0;
    if (body.len == 0)
        return ERR_OK;
    *message_id_out = smpp_cstring(&fields, SMPP_MESSAGE_ID_BYTES);
    size_t count = smpp_u8(&fields);
    if (count > SMPP_DESTINATIONS_MAX)
        return ERR_SMPP_BODY;
    for (size_t i = 0; i < count; i++) {
        failed[i].address = address_take(&fields);
        failed[i].status = smpp_u32(&fields);
    }
    *count_out = count;
    return fields_end(&fields);
}

enum err
smpp_multi_answer_add(struct buf *out, struct slice message_id, const struct smpp_unsuccess *failed,
                      size_t count)
{
    struct writer to = { .out = out, .err = count > SMPP_DESTINATIONS_MAX ? ERR_LIMIT : ERR_OK };

    text_add(&to, message_id, SMPP_MESSAGE_ID_BYTES);
    u8_add(&to, (unsigned)count);
    for (size_t i = 0; to.err == ERR_OK && i < count; i++) {
        address_add(&to, &failed[i].address, SMPP_ADDRESS_BYTES);
        buf_add_u32be(out, failed[i].status);
    }
    return writer_end(&to);
}

enum err
smpp_about_read(uint32_t command, struct slice body, struct smpp_about *out)
{
    struct smpp_fields fields = { .rest = body };

    *out = (struct smpp_about){ .registered_delivery = 0 };
    if (command == SMPP_CANCEL_SM)
        out->service_type = smpp_cstring(&fields, SMPP_SERVICE_BYTES);
    out->message_id = smpp_cstring(&fields, SMPP_MESSAGE_ID_BYTES);
    out->source = address_take(&fields);
    if (command == SMPP_CANCEL_SM)
        out->destination = address_take(&fields);
    if (command == SMPP_REPLACE_SM) {
        out->schedule = smpp_cstring(&fields, SMPP_TIME_BYTES);
        out->validity = smpp_cstring(&fields, SMPP_TIME_BYTES);
        out->registered_delivery = smpp_u8(&fields);
        out->default_message = smpp_u8(&fields);
        size_t len = smpp_u8(&fields);
        out->short_message = smpp_octets(&fields, len);
    }
    return fields_end(&fields);
}

enum err
smpp_about_add(struct buf *out, uint32_t command, const struct smpp_about *about)
{
    struct writer to = { .out = out };

    if (command == SMPP_CANCEL_SM)
        text_add(&to, about->service_type, SMPP_SERVICE_BYTES);
    text_add(&to, about->message_id, SMPP_MESSAGE_ID_BYTES);
    address_add(&to, &about->source, SMPP_ADDRESS_BYTES);
    if (command == SMPP_CANCEL_SM)
        address_add(&to, &about->destination, SMPP_ADDRESS_BYTES);
    if (command == SMPP_REPLACE_SM) {
        text_add(&to, about->schedule, SMPP_TIME_BYTES);
        text_add(&to, about->validity, SMPP_TIME_BYTES);
        u8_add(&to, about->registered_delivery);
        u8_add(&to, about->default_message);
        if (to.err == ERR_OK && about->short_message.len > SMPP_SHORT_MESSAGE_MAX)
            to.err = ERR_LIMIT;
        u8_add(&to, (unsigned)(about->short_message.len & 0xFF));
        buf_add(out, about->short_message);
    }
    return writer_end(&to);
}

enum err
smpp_query_answer_read(struct slice body, struct smpp_query_answer *out)
{
    struct smpp_fields fields = { .rest = body };

    *out = (struct smpp_query_answer){ .state = 0 };
    if (body.len == 0)
        return ERR_OK;
    out->message_id = smpp_cstring(&fields, SMPP_MESSAGE_ID_BYTES);
    out->final_date = smpp_cstring(&fields, SMPP_TIME_BYTES);
    out->state = smpp_u8(&fields);
    out->error = smpp_u8(&fields);
    return fields_end(&fields);
}

enum err
smpp_query_answer_add(struct buf *out, const struct smpp_query_answer *answer)
{
    struct writer to = { .out = out };

    text_add(&to, answer->message_id, SMPP_MESSAGE_ID_BYTES);
    text_add(&to, answer->final_date, SMPP_TIME_BYTES);
    u8_add(&to, answer->state);
    u8_add(&to, answer->error);
    return writer_end(&to);
}

enum err
smpp_alert_read(struct slice body, struct smpp_alert *out)
{
    struct smpp_fields fields = { .rest = body };

    out->source = address_take(&fields);
    out->esme = address_take(&fields);
    out->tlvs = tlvs_take(&fields);
    return fields_end(&fields);
}

enum err
smpp_alert_add(struct buf *out, const struct smpp_alert *alert)
{
    struct writer to = { .out = out };

    address_add(&to, &alert->source, SMPP_ADDRESS_READ);
    address_add(&to, &alert->esme, SMPP_ADDRESS_READ);
    tlvs_add(&to, alert->tlvs);
    return writer_end(&to);
}
