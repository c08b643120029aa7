-- Unique events for wrk: wrk … -s wrk.lua URL -- EVENT_FILE AUTHORIZATION RUN BATCH
-- BATCH 0 posts single events; otherwise that many in one call. Ends with one line: RESULT {json}.
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(args)
  local file = assert(io.open(args[1], "r"))
  local template = file:read("*a")
  file:close()
  size = tonumber(args[4])
  run = args[3] .. "-" .. number
  counter = 0
  pieces = {}
  local from = 1
  while true do
    local begin, finish, name = template:find("@(%u+)@", from)
    if not begin then break end
    pieces[#pieces + 1] = template:sub(from, begin - 1)
    pieces[#pieces + 1] = name
    from = finish + 1
  end
  pieces[#pieces + 1] = template:sub(from)
  wrk.headers["Authorization"] = args[2]
  wrk.headers["Content-Type"] = "application/json"
end

local function event()
  counter = counter + 1
  local out = {}
  for i, piece in ipairs(pieces) do
    if piece == "ID" then
      out[i] = string.format("%s-%010d", run, counter)
    elseif piece == "USER" then
      out[i] = string.format("%04d", counter % 10000)
    else
      out[i] = piece
    end
  end
  return table.concat(out)
end

function request()
  if size == 0 then return wrk.format("POST", nil, nil, event()) end
  local events = {}
  for i = 1, size do events[i] = event() end
  return wrk.format("POST", nil, nil, '{"batch":[' .. table.concat(events, ",") .. "]}")
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"answered":%d,"refused":%d,"broken":%d,"seconds":%.6f,"p50":%.3f,"p99":%.3f}\n',
    summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
