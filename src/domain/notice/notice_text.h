/*
 * What a mail says, in the person's language. Names in it are others' words, and whoever invites may invite
 * anybody: so they are cut, kept to one line, and written so that no mail program makes a link of them.
 */
#ifndef DOMAIN_NOTICE_NOTICE_TEXT_H
#define DOMAIN_NOTICE_NOTICE_TEXT_H
#include "core/buf.h"
#include "domain/notice/notice.h"

#define NOTICE_NAME_MAX       60u /* code points of a name in a mail */
#define NOTICE_MAIL_BYTES_MAX 16384u

/* UTF-8; the subject in one line, the others in lines that end in LF. Errors as buf_done of each. */
MUST_CHECK enum err notice_text_print(const struct notice *notice, struct buf *subject, struct buf *text,
                                      struct buf *html);

#endif
