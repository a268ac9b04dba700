/*
 * One person, several spellings: in some countries WhatsApp writes a mobile number otherwise than it is
 * dialled. What a person's message says must be found under the number that the business writes to.
 */
#ifndef DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_PEER_H
#define DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_PEER_H
#include "core/slice.h"

#define WHATSAPP_SPELLING_BYTES 20u

/*
 * The other spelling of a number in E.164: Brazil with or without the ninth digit, Mexico with or without the
 * 1, Argentina with or without the 9. Empty when there is none. Points into `room`.
 */
struct slice whatsapp_peer_other_spelling(struct slice number, char room[static WHATSAPP_SPELLING_BYTES]);

#endif
