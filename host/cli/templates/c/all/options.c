#include "options.h"

#include "helpers.h"
#include <stdlib.h>

typedef struct {
    const uint8_t *at, *end;
} json_t;

static uint8_t peek(json_t *json) { return json->at < json->end ? *json->at : 0; }

static void skip_space(json_t *json) {
    while (peek(json) == ' ' || peek(json) == '\n' || peek(json) == '\r' || peek(json) == '\t') json->at++;
}

static bool take(json_t *json, uint8_t c) {
    skip_space(json);
    if (peek(json) != c) return false;
    json->at++;
    return true;
}

static uint32_t hexadecimal(json_t *json) {
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++, json->at++) {
        uint8_t c = peek(json);
        unit = unit * 16 + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return unit;
}

static void put_code_point(icehost_string_t *to, uint32_t c) {
    if (c < 0x80) {
        put_byte(to, c);
        return;
    }
    int rest = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xC0, 0xE0, 0xF0};
    put_byte(to, lead[rest] | c >> (6 * rest));
    while (rest-- > 0) put_byte(to, 0x80 | (c >> (6 * rest) & 0x3F));
}

static icehost_string_t text(json_t *json) {
    icehost_string_t text = {NULL, 0};
    if (!take(json, '"')) return text;
    while (json->at < json->end && *json->at != '"') {
        uint8_t c = *json->at++;
        if (c != '\\') {
            put_byte(&text, c);
            continue;
        }
        c = peek(json);
        json->at++;
        switch (c) {
        case 'b': put_byte(&text, '\b'); break;
        case 'f': put_byte(&text, '\f'); break;
        case 'n': put_byte(&text, '\n'); break;
        case 'r': put_byte(&text, '\r'); break;
        case 't': put_byte(&text, '\t'); break;
        case 'u': {
            uint32_t unit = hexadecimal(json);
            // The second half of a pair follows as another escape.
            if (unit >= 0xD800 && unit < 0xDC00 && json->end - json->at >= 6) {
                json->at += 2;
                unit = 0x10000 + ((unit - 0xD800) << 10) + (hexadecimal(json) - 0xDC00);
            }
            put_code_point(&text, unit);
            break;
        }
        default: put_byte(&text, c);
        }
    }
    take(json, '"');
    return text;
}

static void skip_value(json_t *json) {
    skip_space(json);
    if (peek(json) == '"') {
        text(json);
    } else if (peek(json) == '{' || peek(json) == '[') {
        int depth = 0;
        do {
            if (peek(json) == '"') {
                text(json);
                continue;
            }
            if (peek(json) == '{' || peek(json) == '[') depth++;
            if (peek(json) == '}' || peek(json) == ']') depth--;
            json->at++;
        } while (depth > 0 && json->at < json->end);
    } else {
        while (json->at < json->end && *json->at != ',' && *json->at != '}') json->at++;
    }
}

/// Moves to the value of a name.
static bool find(json_t *json, icehost_string_t options, const char *name) {
    *json = (json_t){options.ptr, options.ptr + options.len};
    if (!take(json, '{')) return false;
    while (json->at < json->end) {
        icehost_string_t key = text(json);
        if (!take(json, ':')) return false;
        if (same(key, literal(name))) return true;
        skip_value(json);
        if (!take(json, ',')) return false;
    }
    return false;
}

bool option_text(icehost_string_t options, const char *name, icehost_string_t *into) {
    json_t json;
    if (!find(&json, options, name)) return false;
    *into = text(&json);
    return true;
}

size_t option_texts(icehost_string_t options, const char *name, icehost_string_t **texts) {
    json_t json;
    size_t count = 0;
    *texts = NULL;
    if (!find(&json, options, name) || !take(&json, '[')) return 0;
    do {
        *texts = realloc(*texts, (count + 1) * sizeof **texts);
        (*texts)[count++] = text(&json);
    } while (take(&json, ','));
    return count;
}
