// The options of a user: a JSON object that the host has checked against the schema.
#pragma once
#include "icehost.h"

/// An option that is a text; false where it is not given.
bool option_text(icehost_string_t options, const char *name, icehost_string_t *text);

/// An option that is a list of texts: how many there are, 0 where it is not given.
size_t option_texts(icehost_string_t options, const char *name, icehost_string_t **texts);
