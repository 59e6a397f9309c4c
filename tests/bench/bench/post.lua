-- POSTs a new thing under a new key each time; arguments: what the keys begin with, and a bearer token.
local number, prefix = 0, ""

function init(arguments)
   prefix = arguments[1]
   wrk.headers["Content-Type"] = "application/json"
   wrk.headers["Authorization"] = "Bearer " .. arguments[2]
end

function request()
   number = number + 1
   wrk.headers["Idempotency-Key"] = prefix .. "-" .. number
   local body = string.format('{"subject":"%s-%d","sequence":1,"amount":%d}', prefix, number, number % 1000)
   return wrk.format("POST", nil, nil, body)
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '\n{"requests":%d,"microseconds":%d,"failed":%d,"p50":%d,"p99":%d}\n',
      summary.requests, summary.duration,
      errors.status + errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50), latency:percentile(99)))
end
