// An API on Node's own HTTP server, without a package: a list of orders, one order, a new order.
const http = require('node:http')

const orders = Array.from({ length: 1000 }, (_, n) => ({ id: n + 1, sku: `A-${n % 50}`, qty: 1 + (n % 9) }))

function answer(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

http.createServer(async (request, response) => {
  const [, root, id] = request.url.split('?')[0].split('/')
  if (root === 'health') return answer(response, 200, { status: 'ok' })
  if (root !== 'orders') return answer(response, 404, { error: 'not found' })
  if (request.method === 'POST') {
    let text = ''
    for await (const chunk of request) text += chunk
    return answer(response, 201, { ...JSON.parse(text), state: 'created' })
  }
  if (!id) return answer(response, 200, orders.slice(0, 20))
  const order = orders[id - 1]
  return order ? answer(response, 200, order) : answer(response, 404, { error: 'not found' })
}).listen(8080, '0.0.0.0')

process.on('SIGTERM', () => process.exit(0))
