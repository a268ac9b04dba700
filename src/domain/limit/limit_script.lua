-- One decision over counters, or giving back what one admitted: src/domain/limit/limit_rule.c in Lua, which has numbers of
-- 53 bits, by the server's clock. ARGV: what to do, then for each key: kind (0 rate, 1 day, 2 month), limit, cost, base or
-- -1, base's window. Returns for each key: outcome (0 admitted, 1 refused, 2 unknown), used, remaining, reset us, wait us,
-- window. Nothing is written unless all are admitted.
local time = redis.call('TIME')
local sec, usec = tonumber(time[1]), tonumber(time[2])
local SECOND = 15625
local tick = sec * SECOND + math.floor(usec / 64)
local day = math.floor(sec / 86400)

local function month_of_day(d)
    local z = d + 719468
    local era = math.floor(z / 146097)
    local doe = z - era * 146097
    local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
    local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
    return (yoe + era * 400) * 12 + math.floor((5 * doy + 2) / 153) + 2 - 1970 * 12
end

local function day_of_month(m)
    local since = m + 1970 * 12 - 2
    local year = math.floor(since / 12)
    local march = since - year * 12
    local era = math.floor(year / 400)
    local yoe = year - era * 400
    return era * 146097 + yoe * 365 + math.floor(yoe / 4) - math.floor(yoe / 100) + math.floor((153 * march + 2) / 5) - 719468
end

local month = month_of_day(day)

local function start_of(kind, window)
    return (kind == 2 and day_of_month(window) or window) * 86400
end

local function split(text)
    local a, b = string.match(text, '^(%d+):(%d+)$')
    return tonumber(a) or 0, tonumber(b) or 0
end

local function debt_of(limit, text)
    if not text then return 0 end
    local q, r = split(text)
    if q < tick then return 0 end
    if r >= limit then q, r = q + 1, 0 end
    local ahead, full = q - tick, SECOND * limit
    if ahead > SECOND then return full end
    return math.min(ahead * limit + r, full)
end

local function rate_text(limit, debt)
    local whole = math.floor(debt / limit)
    return string.format('%.0f:%.0f', tick + whole, debt - whole * limit)
end

local function debt_us(debt, limit)
    return math.ceil(debt / limit) * 64
end

local function used_of(kind, text, base, base_window)
    local present = kind == 1 and day or month
    local window, used = present, 0
    if text then
        local there, count = split(text)
        if there >= present then used = count end
        if there == present + 1 then window = there end
    end
    if base >= 0 and base_window == window and base > used then used = base end
    return used, window
end

local is_back = ARGV[1] == 'back'
local out, writes, refused = {}, {}, false
for i = 1, #KEYS do
    local at = 5 * (i - 1) + 1
    local kind, limit, cost = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
    local base, base_window = tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])
    local text = redis.call('GET', KEYS[i])
    local outcome, used, remaining, reset, wait, window = 0, 0, 0, 0, 0, 0
    if kind == 0 then
        local debt, full = debt_of(limit, text), SECOND * limit
        if is_back then
            debt = math.max(0, debt - cost * SECOND)
        elseif cost > limit then
            outcome, wait = 1, -1
        elseif cost > 0 and debt > full - cost * SECOND then
            outcome, wait = 1, debt_us(debt + cost * SECOND - full, limit)
        else
            debt = debt + cost * SECOND
        end
        remaining = math.floor((full - debt) / SECOND)
        used, reset = limit - remaining, debt_us(debt, limit)
        if cost > 0 and (text or not is_back) then
            writes[#writes + 1] = { KEYS[i], rate_text(limit, debt), 'PX', math.ceil(reset / 1000) + 1000 }
        end
    elseif is_back then
        if text then
            local there, count = split(text)
            if there == base_window then
                used, window = math.max(0, count - cost), there
                local text_next = string.format('%.0f:%.0f', window, used)
                writes[#writes + 1] = { KEYS[i], text_next, 'EX', start_of(kind, window + 1) - sec + 86400 }
            end
        end
    elseif not text and base < 0 then
        outcome = 2
    else
        used, window = used_of(kind, text, base, base_window)
        reset = start_of(kind, window + 1) * 1000000 - (sec * 1000000 + usec)
        if cost > 0 and used + cost > limit then
            outcome, wait = 1, cost > limit and -1 or reset
        else
            used = used + cost
        end
        remaining = math.max(0, limit - used)
        if cost > 0 then
            local text_next = string.format('%.0f:%.0f', window, used)
            writes[#writes + 1] = { KEYS[i], text_next, 'EX', start_of(kind, window + 1) - sec + 86400 }
        end
    end
    refused = refused or outcome ~= 0
    for _, value in ipairs({ outcome, used, remaining, reset, wait, window }) do out[#out + 1] = value end
end
if not refused then
    for _, write in ipairs(writes) do redis.call('SET', write[1], write[2], write[3], string.format('%.0f', write[4])) end
end
return out
