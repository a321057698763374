"""Fills the database: 10,000 points in public.points. May run twice."""

import asyncio
import os

import asyncpg

STATEMENTS = """
CREATE EXTENSION IF NOT EXISTS postgis;
DROP TABLE IF EXISTS public.points;
CREATE TABLE public.points AS
SELECT n AS id, 'point ' || n AS name, n % 7 AS kind,
       ST_SetSRID(ST_MakePoint(-180 + (n * 37 % 3600) / 10.0, -85 + (n * 53 % 1700) / 10.0), 4326) AS geom
FROM generate_series(1, 10000) AS n;
ALTER TABLE public.points ADD PRIMARY KEY (id);
CREATE INDEX ON public.points USING gist (geom);
ANALYZE public.points;
"""


async def main() -> None:
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    try:
        await connection.execute(STATEMENTS)
    finally:
        await connection.close()


asyncio.run(main())
