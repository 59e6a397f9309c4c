async def test_x(toy_urls, vhost):
    print(toy_urls, vhost)
