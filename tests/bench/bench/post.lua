-- POSTs a new thing under a new key each time; arguments: what the keys begin with, who posts, a body in which
-- $key, $number and $digits (nine of them) stand for what differs, and what kind of body it is.
local number, prefix, body = 0, "", ""

function init(arguments)
   prefix, body = arguments[1], arguments[3]
   wrk.headers["Content-Type"] = arguments[4]
   wrk.headers["Authorization"] = arguments[2]
end

function request()
   number = number + 1
   local key = prefix .. "-" .. number
   wrk.headers["Idempotency-Key"] = key
   local told = {key = key, number = number, digits = string.format("%09d", number)}
   return wrk.format("POST", nil, nil, (body:gsub("%$(%l+)", told)))
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '\n{"requests":%d,"microseconds":%d,"failed":%d,"p50":%d,"p99":%d}\n',
      summary.requests, summary.duration,
      errors.status + errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50), latency:percentile(99)))
end
