-- POSTs what others have signed, one after the other; the arguments are the header that carries the signature,
-- and a file with a signature and a body on each line, a tab between.
local header, lines, number = "", {}, 0

function init(arguments)
   header = arguments[1]
   for line in io.lines(arguments[2]) do
      lines[#lines + 1] = line
   end
   wrk.headers["Content-Type"] = "application/json"
end

function request()
   number = number % #lines + 1
   local signature, body = lines[number]:match("^(.-)\t(.*)$")
   wrk.headers[header] = signature
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
