"""The way in: GraphQL and HTTP over the use cases."""
