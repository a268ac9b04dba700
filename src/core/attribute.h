/* Compiler attributes that every other file may use. */
#ifndef CORE_ATTRIBUTE_H
#define CORE_ATTRIBUTE_H

#define MUST_CHECK           __attribute__((warn_unused_result))
#define UNUSED               __attribute__((unused))
#define NORETURN             __attribute__((noreturn))
#define FORMAT_LIKE(fmt, va) __attribute__((format(printf, fmt, va)))
/* Of a large variable on a hot path that is written before it is read: not cleared first, as all others are.
 */
#define UNCLEARED       __attribute__((uninitialized))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
