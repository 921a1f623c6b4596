// Apollo Server with graphql-ws, put together as its documentation has it.
import { createServer } from 'node:http';
import { ApolloServer } from '@apollo/server';
import { ApolloServerPluginDrainHttpServer } from '@apollo/server/plugin/drainHttpServer';
import { createPubSub } from 'graphql-yoga';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { ready, schemaOver, show } from './schema.mjs';

const changes = createPubSub();
const schema = schemaOver(() => changes.subscribe('nowPlaying'));
const http = createServer((_, response) => response.writeHead(404).end());
useServer({ schema }, new WebSocketServer({ server: http, path: '/graphql' }));
const server = new ApolloServer({ schema, plugins: [ApolloServerPluginDrainHttpServer({ httpServer: http })] });
await server.start();
http.listen(0, '127.0.0.1', 8192, () => ready(http.address().port));
show((change) => changes.publish('nowPlaying', change));
