// What an app with Relay asks: relay-compiler reads it, and it is never run.

import { graphql } from "relay-runtime";

graphql`
  query galleryQuery {
    ...gallery_images
  }`;

graphql`
  fragment gallery_images on Query
  @refetchable(queryName: "galleryPaginationQuery")
  @argumentDefinitions(count: { type: "Int", defaultValue: 20 }, cursor: { type: "String" }) {
    images(first: $count, after: $cursor, filter: { tagsAny: ["postcard"] })
      @connection(key: "gallery_images") {
      edges { node { id filename } }
    }
  }`;

graphql`
  query gallerySearchQuery($text: String!) {
    ...gallery_found @arguments(text: $text)
  }`;

graphql`
  fragment gallery_found on Query
  @refetchable(queryName: "gallerySearchPaginationQuery")
  @argumentDefinitions(
    text: { type: "String!" }
    count: { type: "Int", defaultValue: 20 }
    cursor: { type: "String" }
  ) {
    searchImages(by: { text: $text }, first: $count, after: $cursor, filter: { tagsAny: ["postcard"] })
      @connection(key: "gallery_searchImages", filters: ["by", "filter"]) {
      edges { relevance band node { id filename ...gallery_image } }
    }
  }`;

graphql`
  fragment gallery_image on Image @refetchable(queryName: "galleryImageRefetchQuery") {
    id
    altText
    thumbnail: url(variant: THUMBNAIL)
  }`;

graphql`
  mutation galleryDescribeMutation($id: ID!, $altText: String!) {
    updateImage(input: { id: $id, altText: $altText }) {
      image { ...gallery_image }
      userErrors { field message code }
    }
  }`;

graphql`
  mutation galleryUploadMutation($files: [Upload!]!) {
    uploadImages(input: { files: $files }) {
      results { isDuplicate image { id filename status } }
      userErrors { field message code }
    }
  }`;

graphql`
  mutation galleryDeleteMutation($ids: [ID!]!) {
    deleteImages(input: { ids: $ids }) {
      deletedImageIds @deleteRecord
      userErrors { field message code }
    }
  }`;

graphql`
  subscription galleryStatusSubscription($ids: [ID!]!) {
    imageStatusChanged(imageIds: $ids) { id status }
  }`;

graphql`
  subscription galleryMatchedSubscription($text: String!) {
    imageMatched(by: { text: $text }) { relevance node { id filename } }
  }`;
