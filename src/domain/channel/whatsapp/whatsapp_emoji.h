/* Whether a text is one emoji, as a person sees it. Source: Unicode Technical Standard 51, ED-14 to ED-17. */
#ifndef DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_EMOJI_H
#define DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_EMOJI_H
#include "core/slice.h"

/*
 * One flag, keycap, or pictograph with its modifiers, tags and joined parts. Pictographs are known by the
 * blocks they lie in, so new ones need no new table; the text must be valid UTF-8.
 */
bool whatsapp_is_one_emoji(struct slice text);

#endif
