#include "domain/notice/notice_text.h"
#include <string.h>

/*
 * Of each kind and language. In them {name}, {workspace}, {by}, {detail}, {address}, {at} and {until} stand
 * for what the notice says.
 */
struct words {
    const char *subject, *body, *button, *after; /* button NULL: there is no link */
};

// clang-format off
static const struct words words[NOTICE_KIND_COUNT][2] = {
    [NOTICE_INVITATION] = {
        { "You are invited to {workspace}",
          "{by} invites you to work in {workspace} on Harkara.",
          "Accept the invitation",
          "The link is good once, until {until}. If you do not know what this is about, leave this mail alone: nothing happens then." },
        { "आपको {workspace} में आमंत्रित किया गया है",
          "{by} ने आपको Harkara पर {workspace} में काम करने के लिए आमंत्रित किया है।",
          "आमंत्रण स्वीकार करें",
          "यह लिंक केवल एक बार, {until} तक काम करेगा। यदि आपको इसकी जानकारी नहीं है, तो इस ईमेल को अनदेखा करें: कुछ भी नहीं बदलेगा।" } },
    [NOTICE_EMAIL_CONFIRM] = {
        { "Confirm your new e-mail address",
          "You asked for this address to be yours on Harkara. Open the link where you are signed in, and confirm it there.",
          "Confirm this address",
          "The link is good once, until {until}. If it was not you, leave this mail alone: nothing changes then." },
        { "अपने नए ईमेल पते की पुष्टि करें",
          "आपने Harkara पर इस पते को अपना पता बनाने के लिए कहा है। लिंक को वहीं खोलें जहाँ आपने साइन इन किया है, और वहाँ इसकी पुष्टि करें।",
          "इस पते की पुष्टि करें",
          "यह लिंक केवल एक बार, {until} तक काम करेगा। यदि यह आपने नहीं किया, तो इस ईमेल को अनदेखा करें: कुछ भी नहीं बदलेगा।" } },
    [NOTICE_EMAIL_CHANGED] = {
        { "Your e-mail address was changed",
          "Since {at} your address on Harkara is another one. Nothing more comes to this address.",
          NULL,
          "If it was not you, tell an owner of your workspace at once: somebody else may be in your account." },
        { "आपका ईमेल पता बदल दिया गया है",
          "{at} से Harkara पर आपका पता दूसरा है। अब इस पते पर कोई ईमेल नहीं आएगा।",
          NULL,
          "यदि यह आपने नहीं किया, तो तुरंत अपने कार्यक्षेत्र के स्वामी को बताएँ: हो सकता है कि कोई और आपके खाते में हो।" } },
    [NOTICE_PASSKEY_ADDED] = {
        { "A passkey was added to your account",
          "The passkey “{detail}” was added to your account at {at}, from {address}. Whoever holds it can sign in as you.",
          "See your passkeys",
          "If it was not you, remove it, end all other sessions, and tell an owner of your workspace." },
        { "आपके खाते में एक पासकी जोड़ी गई है",
          "पासकी “{detail}” {at} पर {address} से आपके खाते में जोड़ी गई। जिसके पास यह है, वह आपके रूप में साइन इन कर सकता है।",
          "अपनी पासकी देखें",
          "यदि यह आपने नहीं किया, तो इसे हटाएँ, बाकी सभी सत्र समाप्त करें, और अपने कार्यक्षेत्र के स्वामी को बताएँ।" } },
    [NOTICE_SIGNED_IN] = {
        { "New sign-in to your account",
          "Somebody signed in to your account at {at} with {detail}, from {address}.",
          "See your sessions",
          "If it was you, there is nothing to do. If not, end that session, look at your passkeys, and tell an owner of your workspace." },
        { "आपके खाते में नया साइन-इन",
          "{at} पर {detail} से, {address} से, आपके खाते में साइन इन किया गया।",
          "अपने सत्र देखें",
          "यदि यह आप थे, तो कुछ करने की आवश्यकता नहीं है। यदि नहीं, तो उस सत्र को समाप्त करें, अपनी पासकी देखें, और अपने कार्यक्षेत्र के स्वामी को बताएँ।" } },
    [NOTICE_REMOVED] = {
        { "You are no longer in {workspace}",
          "Your access to {workspace} on Harkara ended at {at}. Your sessions there have ended, and keys that you made there are worth nothing any more.",
          NULL,
          "If you think that this is a mistake, ask an owner of the workspace." },
        { "अब आप {workspace} में नहीं हैं",
          "Harkara पर {workspace} तक आपकी पहुँच {at} पर समाप्त हो गई। वहाँ आपके सत्र समाप्त हो गए हैं, और वहाँ आपकी बनाई हुई कुंजियाँ अब मान्य नहीं हैं।",
          NULL,
          "यदि आपको लगता है कि यह भूल है, तो कार्यक्षेत्र के किसी स्वामी से पूछें।" } },
};
static const char *const hello[] = { "Hello,", "नमस्ते,", "Hello {name},", "नमस्ते {name}," };
static const char *const nobody[] = { "Somebody", "किसी" };
static const char *const nowhere[] = { "an unknown address", "एक अज्ञात पते" };
static const char *const footer[] = {
    "This mail was written by Harkara, and nobody reads answers to it.",
    "यह ईमेल Harkara ने भेजा है; इसका उत्तर कोई नहीं पढ़ता।" };

/* The first that stands in a User-Agent: browsers name those that they want to be taken for, too. */
static const char *const browsers[][2] = {
    { "Edg", "Edge" }, { "OPR/", "Opera" }, { "SamsungBrowser/", "Samsung Internet" }, { "Firefox/", "Firefox" }, { "FxiOS/", "Firefox" },
    { "CriOS/", "Chrome" }, { "Chrome/", "Chrome" }, { "Safari/", "Safari" } };
static const char *const systems[][2] = {
    { "iPhone", "iPhone" }, { "iPad", "iPad" }, { "Android", "Android" }, { "Windows", "Windows" }, { "Macintosh", "macOS" }, { "CrOS", "ChromeOS" },
    { "Linux", "Linux" } };
// clang-format on

static const char *
found_in(struct slice text, const char *const (*table)[2], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slice_contains(text, slice_text(table[i][0])))
            return table[i][1];
    return NULL;
}

static void
device_print(struct buf *out, struct slice user_agent, enum notice_language language)
{
    const char *browser = found_in(user_agent, browsers, COUNT_OF(browsers));
    const char *system = found_in(user_agent, systems, COUNT_OF(systems));

    if (browser != NULL && system != NULL && language == NOTICE_HINDI)
        buf_add_format(out, "%s पर %s", system, browser);
    else if (browser != NULL && system != NULL)
        buf_add_format(out, "%s on %s", browser, system);
    else if (browser != NULL)
        buf_add_text(out, browser);
    else
        buf_add_text(out, language == NOTICE_HINDI ? "एक अज्ञात ब्राउज़र" : "an unknown browser");
}

/* "2026-11-23 00:32 UTC". */
static void
time_print(struct buf *out, struct wall_time at)
{
    char text[WALL_TEXT_BYTES];
    struct slice printed = wall_print(at, text);

    buf_add_format(out, "%.10s %.5s UTC", printed.ptr, printed.ptr + 11);
}

static bool
is_blank(unsigned char c)
{
    return c <= ' ' || c == 0x7f;
}

/* Somebody's words: one line, not long, and no "example.org" or "//" that would become a link by itself. */
static void
name_print(struct buf *out, struct slice name)
{
    size_t points = 0;

    name = slice_trim(name);
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        points += (c & 0xc0) != 0x80;
        if (points > NOTICE_NAME_MAX) {
            buf_add_text(out, "…");
            return;
        }
        bool is_within = i > 0 && i + 1 < name.len && !is_blank((unsigned char)name.ptr[i - 1]) &&
                         !is_blank((unsigned char)name.ptr[i + 1]);
        if (is_blank(c))
            buf_add_byte(out, ' ');
        else if (is_within && c == '.')
            buf_add_text(out, "\u2024"); /* looks like a dot */
        else if (is_within && c == '/')
            buf_add_text(out, "\u2215");
        else if (is_within && c == '@')
            buf_add_text(out, " @ ");
        else
            buf_add_byte(out, (char)c);
    }
}

static void
value_print(struct buf *out, const struct notice *notice, struct slice key)
{
    enum notice_language language = notice->language;

    if (slice_eq(key, SLICE("name")))
        name_print(out, notice->name);
    else if (slice_eq(key, SLICE("workspace")))
        name_print(out, notice->workspace);
    else if (slice_eq(key, SLICE("by")))
        name_print(out, notice->by.len != 0 ? notice->by : slice_text(nobody[language]));
    else if (slice_eq(key, SLICE("detail")) && notice->kind == NOTICE_SIGNED_IN)
        device_print(out, notice->detail, language);
    else if (slice_eq(key, SLICE("detail")))
        name_print(out, notice->detail);
    else if (slice_eq(key, SLICE("address")))
        buf_add(out, notice->address.len != 0 ? notice->address : slice_text(nowhere[language]));
    else if (slice_eq(key, SLICE("at")))
        time_print(out, notice->at);
    else if (slice_eq(key, SLICE("until")))
        time_print(out, notice->expires_at);
}

/* The sentence with what is meant in the places of its {words}. */
static void
fill(struct buf *out, const struct notice *notice, const char *sentence)
{
    struct slice rest = slice_text(sentence);

    while (rest.len != 0) {
        size_t open = slice_find(rest, '{');
        buf_add(out, slice_first(rest, open));
        if (open == rest.len)
            return;
        rest = slice_drop(rest, open + 1);
        value_print(out, notice, slice_take_until(&rest, '}'));
    }
}

static void
html_escape(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '&':
            buf_add_text(out, "&amp;");
            break;
        case '<':
            buf_add_text(out, "&lt;");
            break;
        case '>':
            buf_add_text(out, "&gt;");
            break;
        case '"':
            buf_add_text(out, "&quot;");
            break;
        default:
            buf_add_byte(out, text.ptr[i]);
        }
    }
}

static void
html_paragraph(struct buf *out, const struct notice *notice, const char *sentence, const char *style)
{
    struct buf filled;

    buf_init(&filled, NOTICE_MAIL_BYTES_MAX);
    fill(&filled, notice, sentence);
    buf_add_format(out, "<p style=\"%s\">", style);
    html_escape(out, buf_slice(&filled));
    buf_add_text(out, "</p>\n");
    if (buf_done(&filled) != ERR_OK)
        out->err = buf_done(&filled);
    buf_release_wiped(&filled);
}

#define PLAIN "margin:0 0 16px"
#define SMALL "margin:0 0 16px;font-size:13px;line-height:20px;opacity:.75"

/* For programs that know little: no sheet of styles, no picture, nothing that is fetched. */
static void
html_print(struct buf *out, const struct notice *notice, const struct words *said, const char *greeting)
{
    buf_add_format(out, "<!doctype html>\n<html lang=\"%s\"><head><meta charset=\"utf-8\">",
                   notice_language_word(notice->language));
    buf_add_text(out,
                 "<meta name=\"color-scheme\" content=\"light dark\"></head>\n"
                 "<body style=\"margin:0;padding:32px 16px;font-family:system-ui,-apple-system,'Segoe UI',"
                 "'Noto Sans','Noto Sans Devanagari',sans-serif;font-size:16px;line-height:24px\">\n"
                 "<div style=\"max-width:520px;margin:0 auto\">\n");
    html_paragraph(out, notice, greeting, PLAIN);
    html_paragraph(out, notice, said->body, PLAIN);
    if (said->button != NULL) {
        buf_add_text(out, "<p style=\"margin:24px 0\"><a href=\"");
        html_escape(out, notice->link);
        buf_add_text(out,
                     "\" style=\"display:inline-block;padding:12px 20px;border-radius:8px;background:#0b6b5d;"
                     "color:#ffffff;text-decoration:none;font-weight:600\">");
        buf_add_text(out, said->button);
        buf_add_text(out, "</a></p>\n<p style=\"" SMALL ";word-break:break-all\">");
        html_escape(out, notice->link);
        buf_add_text(out, "</p>\n");
    }
    html_paragraph(out, notice, said->after, SMALL);
    html_paragraph(out, notice, footer[notice->language], SMALL);
    buf_add_text(out, "</div></body></html>\n");
}

enum err
notice_text_print(const struct notice *notice, struct buf *subject, struct buf *text, struct buf *html)
{
    const struct words *said = &words[notice->kind][notice->language];
    const char *greeting = hello[(notice->name.len != 0 ? 2 : 0) + notice->language];

    fill(subject, notice, said->subject);
    fill(text, notice, greeting);
    buf_add_text(text, "\n\n");
    fill(text, notice, said->body);
    buf_add_text(text, "\n\n");
    if (said->button != NULL) {
        buf_add_format(text, "%s:\n", said->button);
        buf_add(text, notice->link);
        buf_add_text(text, "\n\n");
    }
    fill(text, notice, said->after);
    buf_add_format(text, "\n\n-- \n%s\n", footer[notice->language]);
    html_print(html, notice, said, greeting);
    enum err err = buf_done(subject);
    if (err == ERR_OK)
        err = buf_done(text);
    return err == ERR_OK ? buf_done(html) : err;
}
