/* limit_script.lua, as the build embeds it. */
#ifndef DOMAIN_LIMIT_LIMIT_SCRIPT_H
#define DOMAIN_LIMIT_LIMIT_SCRIPT_H

const char *limit_script(void);

#endif
