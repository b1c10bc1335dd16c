// graphql-eslint's presets for schemas and for Relay, and what ours is excused from, each for a reason.

import graphql from "@graphql-eslint/eslint-plugin";

const { rules: recommended } = graphql.configs["flat/schema-recommended"];
const { rules: relay } = graphql.configs["flat/schema-relay"];

export default [
  {
    files: ["**/*.graphql"],
    languageOptions: {
      parser: graphql.parser,
      parserOptions: { graphQLConfig: { schema: process.env.SCHEMA } },
    },
    plugins: { "@graphql-eslint": graphql },
    rules: {
      ...recommended,
      ...relay,
      "@graphql-eslint/require-description": [
        "error",
        // The only directive is @oneOf, which is GraphQL's own.
        { types: true, rootField: true, DirectiveDefinition: false },
      ],
      "@graphql-eslint/relay-arguments": [
        "error",
        // Searches and groups are read forwards only: who reads backwards has read it already.
        { includeBoth: false },
      ],
      "@graphql-eslint/relay-edge-types": [
        "error",
        {
          // Lists that are bounded and never paged (tags, facets, labels, userErrors, the images of
          // a group, the `nodes` of a page) are plain lists.
          listTypeCanWrapOnlyEdgeType: false,
          // A group of duplicates is found by its images, which have ids, and has none itself.
          shouldImplementNode: false,
        },
      ],
      "@graphql-eslint/strict-id-in-types": [
        "error",
        {
          exceptions: {
            // What carries things that have ids, or says why there are none.
            suffixes: ["Connection", "Edge", "Payload", "Error"],
            types: [
              // Relay's own.
              "PageInfo",
              // Parts of an image, or of an answer: nobody asks for them again on their own.
              "Exif",
              "ExifTag",
              "FacetValue",
              "PlaceFacetValue",
              "GeoPoint",
              "ImageFacets",
              "LabelScore",
              "SearchExplanation",
              "Stage",
              "UploadTargetField",
              // They hold images, which have ids.
              "DuplicateGroup",
              "UploadedImage",
              // A model is known by its name, and there is one service.
              "EmbeddingModel",
              "Service",
            ],
          },
        },
      ],
    },
  },
];
