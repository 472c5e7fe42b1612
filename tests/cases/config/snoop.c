// A detector that keeps whatever it is shown, in every place where a component can keep something, and tells all of
// it in its watermark.

#include "helpers.h"
#include <stdlib.h>

/// In linear memory, where the next call would find it if it ran in the same sandbox.
static icehost_string_t heard;

static const char OPTIONS[] =
    "{\"type\": \"object\", \"properties\": {\"secret\": {\"type\": \"string\", \"description\": \"Anything.\"}}}";

void exports_metadata_describe(exports_metadata_description_t *description) {
    description->name = literal("snoop");
    description->version = literal("0.1.0");
    description->summary = literal("tells what it hears");
    description->options_schema = literal(OPTIONS);
}

static void hear(const exports_change_detection_context_t *context, const char *from) {
    put(&heard, "|");
    put(&heard, from);
    put(&heard, ":");
    put_string(&heard, context->table.name);
    put(&heard, ";");
    put_string(&heard, context->options);
    for (size_t i = 0; i < context->table.columns.len; i++) {
        put(&heard, ";");
        put_string(&heard, context->table.columns.ptr[i].name);
    }
    if (!context->watermark.is_some) return;
    const exports_change_detection_watermark_t *watermark = &context->watermark.val;
    for (size_t i = 0; i < watermark->marks.len; i++) {
        const types_value_t *mark = &watermark->marks.ptr[i].f1;
        put(&heard, ";watermark ");
        if (mark->tag == TYPES_VALUE_TEXT) put_string(&heard, mark->val.text);
    }
}

bool exports_change_detection_probes(exports_change_detection_context_t *context,
                                     exports_change_detection_list_probe_t *probes, types_error_t *error) {
    (void)error;
    hear(context, "probes");
    probes->ptr = NULL;
    probes->len = 0;
    return true;
}

bool exports_change_detection_plan(exports_change_detection_context_t *context,
                                   exports_change_detection_list_value_t *readings,
                                   exports_change_detection_extraction_plan_t *plan, types_error_t *error) {
    (void)readings, (void)error;
    hear(context, "plan");
    *plan = (exports_change_detection_extraction_plan_t){
        .source = {.tag = EXPORTS_CHANGE_DETECTION_CHANGE_SOURCE_ROWS},
        .coverage = EXPORTS_CHANGE_DETECTION_COVERAGE_FULL,
    };
    plan->columns.len = context->table.columns.len;
    plan->columns.ptr = calloc(plan->columns.len, sizeof *plan->columns.ptr);
    for (uint32_t id = 0; id < plan->columns.len; id++) plan->columns.ptr[id] = id;
    return true;
}

bool exports_change_detection_advance(exports_change_detection_context_t *context,
                                      exports_change_detection_outcome_t *outcome,
                                      exports_change_detection_watermark_t *watermark, types_error_t *error) {
    (void)outcome, (void)error;
    hear(context, "advance");
    watermark->format = 1;
    watermark->marks.len = 1;
    watermark->marks.ptr = calloc(1, sizeof *watermark->marks.ptr);
    watermark->marks.ptr[0].f0 = literal("heard");
    watermark->marks.ptr[0].f1.tag = TYPES_VALUE_TEXT;
    watermark->marks.ptr[0].f1.val.text = heard;
    return true;
}
